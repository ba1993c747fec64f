package machine

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/emissions/hostload"
	"github.com/disteval/disteval/emissions/nvml"
)

// lookAgain is how often it is found out who uses the cards.
const lookAgain = 5 * time.Second

// cardUsers says beside each card's energy who uses it: a card's counter does
// not tell its users apart.
type cardUsers struct {
	*nvml.Meter
	procfs, server string
	looked         time.Time
	notes          map[string]string // by zone
	others         []string          // warnings; who was seen once stays said
}

func (c *cardUsers) Read(from, to time.Time) emissions.Reading {
	r := c.Meter.Read(from, to)
	if now := time.Now(); now.Sub(c.looked) >= lookAgain {
		c.looked = now
		c.look()
	}
	for i, z := range r.Zones {
		r.Zones[i].Note = strings.TrimPrefix(z.Note+"; "+c.notes[z.Name], "; ")
	}
	r.Warnings = append(r.Warnings, c.others...)
	return r
}

func (c *cardUsers) look() {
	server, err := hostload.ServerProcesses(c.procfs, c.server)
	c.notes = map[string]string{}
	for zone, pids := range c.Users() {
		var who []string
		slices.Sort(pids)
		for _, pid := range slices.Compact(pids) {
			name := hostload.ProcessName(c.procfs, pid)
			switch {
			case pid == os.Getpid():
				who = append(who, "disteval")
			case err == nil && server[pid]:
				who = append(who, fmt.Sprintf("the model server (process %d, %s)", pid, name))
			case name == "":
				who = append(who, fmt.Sprintf("process %d, which cannot be seen from here", pid))
			case err != nil:
				who = append(who, fmt.Sprintf("process %d (%s)", pid, name))
			default:
				who = append(who, fmt.Sprintf("process %d (%s)", pid, name))
				c.warn(fmt.Sprintf("%s is also used by process %d (%s), which is not the model server's: its energy is in the figure", zone, pid, name))
			}
		}
		c.notes[zone] = "used by " + strings.Join(who, ", ")
		if len(who) == 0 {
			c.notes[zone] = "used by no process that NVML lists"
		}
	}
}

func (c *cardUsers) warn(text string) {
	if !slices.Contains(c.others, text) {
		c.others = append(c.others, text)
	}
}
