package reports

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
)

var powerZero = time.Unix(1_800_000_000, 0)

func after(seconds float64) time.Time {
	return powerZero.Add(time.Duration(seconds * float64(time.Second)))
}

// turn is a model's turn from start on, in steps of a second of these powers;
// a negative one is not known.
func turn(model string, process int, start float64, watts ...float64) eval.TurnPower {
	t := eval.TurnPower{Model: model, Process: process, Power: emissions.Power{Start: after(start),
		Zones: []emissions.ZonePower{{Name: "core-0"}, {Name: "package-0", Counted: true}}}}
	for i, w := range watts {
		t.Ends = append(t.Ends, time.Duration(i+1)*time.Second)
		for z := range t.Zones {
			if w < 0 {
				t.Zones[z].W = append(t.Zones[z].W, nil)
				continue
			}
			t.Zones[z].W = append(t.Zones[z].W, &w)
		}
	}
	return t
}

func phase(model string, process int, name eval.PhaseName, start, end float64) eval.Phase {
	return eval.Phase{Model: model, Process: process, Name: name, Start: after(start), End: after(end)}
}

func TestPowerOverTime(t *testing.T) {
	rec := eval.RunRecord{Plan: eval.Plan{Models: []eval.Model{{Name: "A"}, {Name: "B"}}},
		Power: []eval.TurnPower{turn("A", 1, 0, 10, 50, 100, 100, 10), turn("B", 2, 5000, 40, -1), turn("B", 1, 6, 20)},
		Phases: []eval.Phase{
			phase("A", 1, eval.PhaseAnswer, 2, 4), phase("A", 1, eval.PhaseLoad, 1, 2),
			phase("B", 1, eval.PhaseAnswer, 6, 99), // killed: it grew after its power was stored
			phase("B", 2, eval.PhaseAnswer, 5000, 5002),
		}}
	all, notes := powerOf(rec)
	if len(all) != 1 || len(notes) != 0 {
		t.Fatalf("%d machines, notes %q", len(all), notes)
	}
	p := all[0]
	want := []PowerPart{{"A", Idle, 0, 1}, {"A", eval.PhaseLoad, 1, 2}, {"A", eval.PhaseAnswer, 2, 4}, {"A", Idle, 4, 5},
		{"", Idle, 5, 6}, {"B", eval.PhaseAnswer, 6, 7}, {"B", eval.PhaseAnswer, 7, 9}}
	if d := cmp.Diff(want, p.Parts); d != "" {
		t.Errorf("parts (-want +got):\n%s", d)
	}
	if len(p.Sessions) != 2 || p.Sessions[1].Start != 7 || !p.Sessions[1].Begun.Equal(after(5000)) {
		t.Errorf("sessions %+v: between them the clock stands still", p.Sessions)
	}
	if z := p.Zones[0]; z.Name != "package-0" || *z.W[2] != 100 || z.W[5] != nil || *z.W[6] != 20 || z.W[8] != nil {
		t.Errorf("zone %+v", z)
	}
	for _, f := range p.Figures() {
		if f.Zone.Name == "package-0" && f.Model == "B" && f.Part == eval.PhaseAnswer {
			if f.Seconds != 3 || f.UnknownS != 1 || *f.MeanW != 30 || *f.PeakW != 40 {
				t.Errorf("B answering: %+v, mean %g", f, *f.MeanW)
			}
		}
	}
}

// TestManyStepsAreJoined: the energy stays, and no step reaches over a part's end.
func TestManyStepsAreJoined(t *testing.T) {
	watts := make([]float64, 7000)
	sum := 0.0
	for i := range watts {
		watts[i] = float64(i % 97)
		sum += watts[i]
	}
	rec := eval.RunRecord{Plan: eval.Plan{Models: []eval.Model{{Name: "A"}}}, Power: []eval.TurnPower{turn("A", 1, 0, watts...)},
		Phases: []eval.Phase{phase("A", 1, eval.PhaseLoad, 0, 3), phase("A", 1, eval.PhaseAnswer, 3, 6999)}}
	all, _ := powerOf(rec)
	p := all[0]
	if len(p.Ends) > mostPowerSteps+10 || len(p.Ends) < mostPowerSteps/2 || p.Kept != 7000 {
		t.Fatalf("%d steps of %d", len(p.Ends), p.Kept)
	}
	joules, ends := 0.0, map[float64]bool{}
	for step, end := range p.Ends {
		joules += *p.Zones[0].W[step] * (end - p.begin(step))
		ends[end] = true
	}
	if math.Abs(joules-sum) > 1e-6*sum || !ends[3] || !ends[6999] || !ends[7000] {
		t.Errorf("%g J of %g, ends of parts kept: %t %t %t", joules, sum, ends[3], ends[6999], ends[7000])
	}
}

func TestPowerThatIsNotThere(t *testing.T) {
	plan := eval.Plan{Models: []eval.Model{{Name: "A", Host: "http://gpu1:11434"}, {Name: "B"}}}
	answered := []eval.Phase{phase("A", 1, eval.PhaseAnswer, 0, 1)}
	off := turn("A", 1, 0)
	off.Zones, off.Reason = nil, "metering is off"
	taken := answered[0]
	taken.Host = "elsewhere"
	for name, tt := range map[string]struct {
		rec    eval.RunRecord
		charts int
		note   string
	}{
		"older record":   {eval.RunRecord{Phases: answered}, 0, "made by a version that did not"},
		"workers":        {eval.RunRecord{Phases: answered, Hosts: map[string]eval.Host{"h": {}}, Power: []eval.TurnPower{turn("A", 1, 0, 1)}}, 0, "would not be the whole"},
		"off":            {eval.RunRecord{Phases: answered, Power: []eval.TurnPower{off}}, 0, "metering is off"},
		"all reused":     {eval.RunRecord{Phases: []eval.Phase{taken}}, 0, "Nothing was asked"},
		"killed before":  {eval.RunRecord{Phases: append(answered, phase("A", 2, eval.PhaseAnswer, 9, 10)), Power: []eval.TurnPower{turn("A", 2, 9, 1)}}, 1, "session 1"},
		"two machines":   {eval.RunRecord{Phases: answered, Power: []eval.TurnPower{turn("A", 1, 0, 1), turn("B", 1, 0, 1)}}, 2, ""},
		"unknown models": {eval.RunRecord{Phases: answered, Power: []eval.TurnPower{turn("gone", 1, 0, 1)}}, 0, ""},
	} {
		tt.rec.Plan = plan
		all, notes := powerOf(tt.rec)
		if len(all) != tt.charts || !strings.Contains(strings.Join(notes, " "), tt.note) || tt.note == "" && len(notes) > 0 {
			t.Errorf("%s: %d charts, notes %q", name, len(all), notes)
		}
		if len(all) == 2 && (all[0].Place != "gpu1:11434" || all[1].Place != "") {
			t.Errorf("%s: at %q and %q", name, all[0].Place, all[1].Place)
		}
	}
}
