package reports

import (
	"strings"
	"testing"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
)

// laddered is a run of a model with 150 of 200 right, of a step that loses 3
// of them and gains 1, and of one that is smaller and loses half. A third
// model is not part of the ladder.
func laddered() memoryRun {
	run := madeRun(200, "student", "student q4_K_M")
	p := &run.record.Plan
	run.replies = nil
	right := map[string]func(i int) bool{
		"student":        func(i int) bool { return i < 150 },
		"student q4_K_M": func(i int) bool { return i >= 3 && i < 150 || i == 199 },
		"student q4_K_S": func(i int) bool { return i < 75 },
		"other":          func(i int) bool { return i < 200 },
	}
	sizes := map[string]int64{"student": 117e6, "student q4_K_M": 34e6, "student q4_K_S": 36e6}
	p.Models = nil
	phase := run.record.Phases[0]
	run.record.Phases = nil
	for _, name := range []string{"other", "student q4_K_M", "student", "student q4_K_S"} {
		m := eval.Model{Name: name, Role: eval.RoleStudent, SizeBytes: sizes[name], Quantization: "F16"}
		if kind, step := strings.CutPrefix(name, "student "); step {
			m.Base, m.Quantize = "student", kind
		}
		p.Models = append(p.Models, m)
		phase.Model = name
		phase.Reading.Energy = emissions.Energy(360e6 * max(1, sizes[name]/34e6))
		phase.Reading.Low, phase.Reading.High = phase.Reading.Energy, phase.Reading.Energy
		run.record.Phases = append(run.record.Phases, phase)
		for i, q := range p.Queries.Queries {
			s := metrics.Score{Metric: metrics.EM, Status: metrics.Scored}
			if right[name](i) {
				s.Value = 1
			}
			run.replies = append(run.replies, eval.ScoredReply{Query: q, Reply: eval.Reply{JobID: eval.JobID{Model: name, Query: q.ID}}, Scores: []metrics.Score{s}})
		}
	}
	return run
}

func TestLadder(t *testing.T) {
	r := build(t, laddered(), Options{})
	if len(r.Ladders) != 1 || len(r.Ladders[0].Rungs) != 3 || r.Ladders[0].Base != "student" {
		t.Fatalf("%+v", r.Ladders)
	}
	l := r.Ladders[0]
	if want := "student q4_K_M keeps 98 % of the answers of student at 29.1 % of the size and 33.3 % of the energy; 3 right answers became wrong, 1 wrong one became right (p = 0.625)."; len(l.Sentences) != 2 || l.Sentences[0] != want {
		t.Errorf("it says %q, want %q", l.Sentences, want)
	}
	for i, want := range []struct {
		model, kind         string
		onSize, onEnergy    bool
		lost, won, compared int
	}{{"student", "F16", true, true, 0, 0, 0}, {"student q4_K_M", "q4_K_M", true, true, 3, 1, 200}, {"student q4_K_S", "q4_K_S", false, false, 75, 0, 200}} {
		g := l.Rungs[i]
		if g.Model != want.model || g.Kind != want.kind || g.SizeFront != want.onSize || g.EnergyFront != want.onEnergy {
			t.Errorf("rung %d is %+v, want %+v", i, g, want)
		}
		if f := g.Flips; (f == nil) != (i == 0) || f != nil && (f.RightToWrong != want.lost || f.WrongToRight != want.won || f.N != want.compared) {
			t.Errorf("rung %d: %+v, want %+v", i, f, want)
		}
	}
	if r := build(t, madeRun(10, "a", "b"), Options{}); r.Ladders != nil {
		t.Errorf("a plan without a ladder has %+v", r.Ladders)
	}
}

// TestLadderWithoutAnswers: a model that has nothing right keeps nothing, and
// says so.
func TestLadderWithoutAnswers(t *testing.T) {
	run := laddered()
	for i := range run.replies {
		if run.replies[i].Reply.Model == "student" {
			run.replies[i].Scores[0].Value = 0
		}
	}
	l := build(t, run, Options{}).Ladders[0]
	if l.Rungs[1].Flips.Kept != nil || !strings.HasPrefix(l.Sentences[0], "student q4_K_M has none of student's answers to keep") {
		t.Errorf("%+v: %q", l.Rungs[1].Flips, l.Sentences[0])
	}
}
