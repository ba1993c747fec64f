package hostload

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// tdpTable is model name as /proc/cpuinfo or the firmware has it, watts,
// source, and the year in which the source states it. Clouds' generic names
// are left out: they are no processor's. Apple states no such figure but, of
// its desktop computers, the most that the whole one draws at the wall: these
// rows end in "whole".
//
//go:embed tdp.tsv
var tdpTable string

// design is what the table has of a processor.
type design struct {
	w      float64 // 0: it is not there
	source string  // who states it, and when
	whole  bool    // the most that the whole computer draws, in place of a thermal design power
}

// lookup finds exactly this model.
func lookup(model string) design {
	for line := range strings.Lines(tdpTable) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) >= 4 && fields[0] == model && model != "" {
			if w, err := strconv.ParseFloat(fields[1], 64); err == nil {
				return design{w, fmt.Sprintf("%s, %s", fields[2], fields[3]), len(fields) == 5}
			}
		}
	}
	return design{}
}

// TDPW is the thermal design power of one of the host's processors in W by
// our table, 0 where it is not there.
func (h Host) TDPW() float64 {
	if d := lookup(h.Model); !d.whole {
		return d.w
	}
	return 0
}

// Design says in words what the table has of the host's processor.
func (h Host) Design() string {
	switch d := lookup(h.Model); {
	case d.w == 0:
		return "its TDP is not in our table: 4 W (2 to 10) for each hardware thread; set emissions.cpu_tdp_w"
	case d.whole:
		return fmt.Sprintf("no TDP is stated; at most %.0f W with memory and graphics (%s)", d.w, d.source)
	default:
		return fmt.Sprintf("TDP %.0f W by our table (%s)", d.w, d.source)
	}
}

// appleChip is the chip in the name that Linux has of a Mac, as in "Apple Mac
// Studio (M1 Ultra, 2022)".
var appleChip = regexp.MustCompile(`^Apple Mac.*\((?:[^)]*, )?(M[0-9]+(?: Pro| Max| Ultra)?), [0-9]{4}\)`)

// macProcessor is the name that macOS gives the processor of the Mac that the
// device tree describes; empty for any other machine.
func macProcessor(sysfs string) string {
	name, err := os.ReadFile(filepath.Join(sysfs, "firmware/devicetree/base/model"))
	if err != nil {
		return ""
	}
	if chip := appleChip.FindSubmatch(name); chip != nil {
		return "Apple " + string(chip[1])
	}
	return ""
}
