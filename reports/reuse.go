package reports

import (
	"fmt"
	"slices"
	"strings"

	"github.com/disteval/disteval/eval"
)

// Reuse says which of a model's replies are taken from earlier runs.
type Reuse struct {
	Replies int      // of the model's
	Of      int      // all of the model's replies
	Runs    []string // IDs of the runs that they are from
	Whole   bool     // they are all of one run's, and so are their times and energy
	Host    string   // on which those were measured; empty where not Whole
	Kind    string   // fingerprint of that machine
}

// reuse is nil where nothing was taken.
func (t *tally) reuse(m eval.Model, rec eval.RunRecord) *Reuse {
	if len(t.reused) == 0 {
		return nil
	}
	u := &Reuse{Of: t.replies}
	for run, n := range t.reused {
		u.Runs = append(u.Runs, run)
		u.Replies += n
	}
	slices.Sort(u.Runs)
	if origin, ok := rec.Reused[m.Name]; ok && u.Replies == u.Of {
		u.Whole, u.Host, u.Kind = true, origin.Host.Hostname, origin.Host.Fingerprint()
	}
	return u
}

// String says it in a sentence's worth of words.
func (u Reuse) String() string {
	from := "run " + strings.Join(u.Runs, ", ")
	if len(u.Runs) > 1 {
		from = "runs " + strings.Join(u.Runs, ", ")
	}
	if u.Whole {
		return fmt.Sprintf("all %d replies with their times and energy are those of %s on %s", u.Replies, from, u.Host)
	}
	return fmt.Sprintf("%d of %d replies are taken from %s, so that there are no times and no energy of all of them", u.Replies, u.Of, from)
}

// withoutTimes drops the figures that are of some of the replies only.
func (m *Model) withoutTimes() {
	m.DurationS, m.UnmeteredS, m.SecondsPerReply, m.TokensPerS = nil, 0, nil, nil
	m.LoadS, m.WarmupS, m.UnloadS = nil, nil, nil
	m.LatencyMS, m.Histograms.LatencyMS = Latency{}, nil
}
