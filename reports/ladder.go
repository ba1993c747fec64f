package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/stat"
)

// Ladder is a model and its quantisations: what each step keeps, and at what
// size and energy.
type Ladder struct {
	Base      string   // Model.Name
	Rungs     []Rung   // the model itself first, then its steps in the plan's order
	Sentences []string // one for each step
}

// Rung is one step of a ladder.
type Rung struct {
	Model       string // Model.Name
	Kind        string // of quantisation, as the provider names it
	SizeBytes   int64  // 0: not stated
	SizeShare   *float64
	EM          Metric
	AnswerBits  Metric
	Energy      Energy
	EnergyShare *float64  // of the model's own; nil where the two were not obtained alike
	Flips       *Flips    // nil for the model itself
	Fidelity    *Fidelity // to the model itself; nil where that is not the run's reference
	SizeFront   bool      // no other rung is as small or smaller and as good or better, and one of both more so
	EnergyFront bool      // the same of the energy; false where energies cannot be compared
}

// Flips are the queries that a model answers otherwise than the one it is
// compared with, in em.
type Flips struct {
	N            int      // queries on which both are scored
	Kept         *float64 // share of the other's right answers that are still right; nil where it has none
	RightToWrong int
	WrongToRight int
	P            float64 // McNemar's exact test
}

// ladders gathers every model that has steps in the plan.
func ladders(r Report, t []*tally) []Ladder {
	var out []Ladder
	for base, m := range r.Models {
		l := Ladder{Base: m.Model.Name}
		for i, step := range r.Models {
			if i == base || step.Model.Base == m.Model.Name {
				g := rung(m, step, t[base], t[i])
				if at := slices.IndexFunc(r.Fidelity, func(f Fidelity) bool { return f.Model == g.Model && f.Reference == l.Base }); at >= 0 {
					g.Fidelity = &r.Fidelity[at]
				}
				l.Rungs = append(l.Rungs, g)
			}
		}
		if len(l.Rungs) < 2 {
			continue
		}
		at := slices.IndexFunc(l.Rungs, func(g Rung) bool { return g.Flips == nil })
		own := l.Rungs[at]
		l.Rungs = slices.Concat([]Rung{own}, l.Rungs[:at], l.Rungs[at+1:])
		l.rank()
		for _, step := range l.Rungs[1:] {
			l.Sentences = append(l.Sentences, step.sentence(own))
		}
		out = append(out, l)
	}
	return out
}

func rung(base, m Model, tBase, t *tally) Rung {
	g := Rung{Model: m.Model.Name, Kind: m.Model.Quantize, SizeBytes: m.Model.SizeBytes, Energy: m.Energy,
		EM: m.Metric(metrics.EM), AnswerBits: m.Metric(metrics.AnswerBits)}
	if base.Model.SizeBytes > 0 && m.Model.SizeBytes > 0 {
		share := float64(m.Model.SizeBytes) / float64(base.Model.SizeBytes)
		g.SizeShare = &share
	}
	if comparable(m.Energy, base.Energy) {
		g.EnergyShare = ratioOf(m.Energy.WhPer1000, base.Energy.WhPer1000)
	}
	if m.Model.Name == base.Model.Name {
		g.Kind = m.Model.Quantization
		return g
	}
	g.Flips = flips(tBase, t)
	return g
}

// flips compares query by query. Of several samples of a query the mean counts:
// it is right above one half.
func flips(base, step *tally) *Flips {
	f := &Flips{}
	right := 0
	for q, before := range base.values[metrics.EM] {
		after := step.values[metrics.EM][q]
		if math.IsNaN(before) || math.IsNaN(after) {
			continue
		}
		f.N++
		was, is := before > 0.5, after > 0.5
		switch {
		case was && !is:
			f.RightToWrong++
		case is && !was:
			f.WrongToRight++
		}
		if was {
			right++
		}
	}
	if right > 0 {
		kept := 1 - float64(f.RightToWrong)/float64(right)
		f.Kept = &kept
	}
	f.P = stat.McNemarExact(f.RightToWrong, f.WrongToRight)
	return f
}

// rank marks the fronts: the rungs that no other one beats in both.
func (l *Ladder) rank() {
	size := func(g Rung) (float64, bool) { return float64(g.SizeBytes), g.SizeBytes > 0 && g.EM.N > 0 }
	energy := func(g Rung) (float64, bool) {
		if g.Energy.WhPer1000 == nil || g.EM.N == 0 {
			return 0, false
		}
		return *g.Energy.WhPer1000, true
	}
	alike := !slices.ContainsFunc(l.Rungs, func(g Rung) bool { return !comparable(g.Energy, l.Rungs[0].Energy) })
	for i := range l.Rungs {
		l.Rungs[i].SizeFront = l.unbeaten(i, size)
		l.Rungs[i].EnergyFront = alike && l.unbeaten(i, energy)
	}
}

func (l *Ladder) unbeaten(i int, cost func(Rung) (float64, bool)) bool {
	mine, ok := cost(l.Rungs[i])
	return ok && !slices.ContainsFunc(l.Rungs, func(o Rung) bool {
		other, ok := cost(o)
		em := l.Rungs[i].EM.Mean
		return ok && other <= mine && o.EM.Mean >= em && (other < mine || o.EM.Mean > em)
	})
}

// sentence says what a step keeps of the model itself.
func (g Rung) sentence(own Rung) string {
	if g.Flips.N == 0 {
		return fmt.Sprintf("%s and %s have no query on which both are scored.", g.Model, own.Model)
	}
	s := fmt.Sprintf("%s has none of %s's answers to keep", g.Model, own.Model)
	if g.Flips.Kept != nil {
		s = fmt.Sprintf("%s keeps %s of the answers of %s", g.Model, percent(*g.Flips.Kept), own.Model)
	}
	if g.SizeShare != nil {
		s += fmt.Sprintf(" at %s of the size", percent(*g.SizeShare))
	}
	if g.EnergyShare != nil {
		s += fmt.Sprintf(" and %s of the energy", percent(*g.EnergyShare))
	}
	p := "= " + PValue(&g.Flips.P)
	if strings.HasPrefix(p, "= <") {
		p = p[2:]
	}
	return fmt.Sprintf("%s; %s became wrong, %s became right (p %s).", s,
		counted(g.Flips.RightToWrong, "right answer"), counted(g.Flips.WrongToRight, "wrong one"), p)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
