package session

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/emissions/hostload"
	"github.com/disteval/disteval/emissions/machine"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
)

// thisProcess is the address of no server: this machine's.
const thisProcess = ""

// sharing says whose energy this machine's is. Where models of several hosts are
// asked at the same time it is the run's, and no model's.
type sharing struct {
	hosts  int // that are asked at the same time
	method string
	meters *machine.Meters
}

func shareOf(plan eval.Plan, meters *machine.Meters) sharing {
	return sharing{hosts: plan.SideBySide(), method: plan.Emissions.Method, meters: meters}
}

// meter is what reads the energy of one model.
func (s sharing) meter(m eval.Model) emissions.Meter {
	meter := s.meters.Of(serverOf(m))
	if s.hosts <= 1 || m.Host == "" || !onThisMachine(m.Host) {
		return meter
	}
	return emissions.NewUnavailable(s.method, fmt.Sprintf("models of %d hosts are asked at the same time, and this machine's energy is not told apart by model", s.hosts))
}

// state says once what the machine used.
func (s sharing) state(ctx context.Context, store *runstore.Store, from, to time.Time) error {
	if s.hosts <= 1 {
		return nil
	}
	r := emissions.ReadWhole(s.meters.Of(thisProcess), from, to)
	used := "is unavailable: " + r.Reason
	if r.Quality != emissions.Unavailable {
		used = fmt.Sprintf("from the first of them to the last was %.4g Wh (%s, by %s)", float64(r.Energy)/3.6e9, r.Quality, r.Method)
	}
	return store.Warn(ctx, fmt.Sprintf("Models of %d hosts were asked at the same time. The energy of this machine, which is then the run's and no model's, %s.", s.hosts, used))
}

func onThisMachine(host string) bool {
	u, err := url.Parse(host)
	return err != nil || hostload.IsLocal(u.Hostname())
}
