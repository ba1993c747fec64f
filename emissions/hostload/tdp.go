package hostload

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

// tdpTable is model name as /proc/cpuinfo or the firmware has it, watts,
// source, and the year in which the source states it. Clouds' generic names
// are left out: they are no processor's. Apple states no such figure.
//
//go:embed tdp.tsv
var tdpTable string

// lookupTDP returns the thermal design power of exactly this model in watts
// and who states it, or 0.
func lookupTDP(model string) (watts float64, source string) {
	for line := range strings.Lines(tdpTable) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) == 4 && fields[0] == model && model != "" {
			w, err := strconv.ParseFloat(fields[1], 64)
			if err == nil {
				return w, fmt.Sprintf("%s, %s", fields[2], fields[3])
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
