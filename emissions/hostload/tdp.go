package hostload

import (
	_ "embed"
	"strconv"
	"strings"
)

// tdpTable is model name as /proc/cpuinfo has it, watts, source.
//
//go:embed tdp.tsv
var tdpTable string

// lookupTDP returns the thermal design power of exactly this model in watts
// and who states it, or 0.
func lookupTDP(model string) (watts float64, source string) {
	for line := range strings.Lines(tdpTable) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) == 3 && fields[0] == model && model != "" {
			w, err := strconv.ParseFloat(fields[1], 64)
			if err == nil {
				return w, fields[2]
			}
		}
	}
	return 0, ""
}

// TDPW is the thermal design power of one of the host's processors in W by
// our table, 0 where it is not there.
func (h Host) TDPW() float64 {
	w, _ := lookupTDP(h.Model)
	return w
}
