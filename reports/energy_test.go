package reports

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/stat"
)

func near(got *float64, want float64) bool {
	return got != nil && math.Abs(*got-want) <= 1e-12*math.Abs(want)
}

// answered is a run record whose model answered in phases with these readings.
func answered(readings ...emissions.Reading) eval.RunRecord {
	var rec eval.RunRecord
	for i, r := range readings {
		rec.Phases = append(rec.Phases,
			eval.Phase{Model: "M", Process: i + 1, Name: eval.PhaseLoad, Reading: emissions.Reading{Energy: 9e9, Quality: emissions.Measured}},
			eval.Phase{Model: "M", Process: i + 1, Name: eval.PhaseAnswer, Start: r.Start, End: r.End, Reading: r})
	}
	return rec
}

// 7,200 J in 100 s are 2 Wh at 72 W.
func TestDerive(t *testing.T) {
	seconds, share := 100.0, 0.5
	idle := emissions.Energy(3.6e9)
	m := Model{Model: eval.Model{Name: "M"}, Replies: 200, DurationS: &seconds, Tokens: eval.Usage{CompletionTokens: new(3600)},
		Metrics: []Metric{{Name: metrics.EM, Summary: stat.Summary{N: 200, Mean: 0.25}}}}
	rep := Report{PUE: 1.5, Factor: &emissions.CarbonFactor{GPerKWh: 500}}
	rep.derive(&m, answered(emissions.Reading{Energy: 7.2e9, Low: 3.6e9, High: 10.8e9, Quality: emissions.Estimated, Method: "estimate", AboveIdle: &idle, ServerShare: &share}))
	for _, tt := range []struct {
		name string
		got  *float64
		want float64
	}{
		{"Wh", m.Energy.Wh, 2}, {"low", m.Energy.LowWh, 1}, {"high", m.Energy.HighWh, 3},
		{"Wh per 1,000 queries", m.Energy.WhPer1000, 10}, {"Wh per correct answer", m.Energy.WhPerCorrect, 0.04},
		{"J per token", m.Energy.JPerToken, 2}, {"mean W", m.Energy.MeanW, 72},
		{"above idle", m.Energy.AboveIdleWh, 1}, {"server's", m.Energy.ServerWh, 1},
		{"kgCO2e", m.EmissionsKg, 0.002 * 1.5 * 0.5}, {"gCO2e per 1,000 queries", m.GPer1000, 7.5},
	} {
		if !near(tt.got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

// 70 W measured and 30 W estimated.
func TestDeriveMixed(t *testing.T) {
	seconds := 100.0
	m := Model{Model: eval.Model{Name: "M"}, Replies: 200, DurationS: &seconds}
	rep := Report{PUE: 1}
	rep.derive(&m, answered(emissions.Reading{Energy: 10e9, Modelled: 3e9, Low: 8e9, High: 14e9, Quality: emissions.Partial, Method: "estimate+nvml"}))
	if !near(m.Energy.MeasuredShare, 0.7) || !near(m.Energy.MeasuredWh, 7e9/3.6e9) || !near(m.Energy.MeasuredWhPer1000, 5*7e9/3.6e9) {
		t.Errorf("%+v", m.Energy)
	}
	if got := m.Energy.How(); got != "70 % measured" {
		t.Errorf("%q", got)
	}
	whole := answered(emissions.Reading{Energy: 10e9, Low: 10e9, High: 10e9, Quality: emissions.Measured, Method: "rapl"})
	if rep.derive(&m, whole); m.Energy.How() != "measured by rapl" || *m.Energy.MeasuredShare != 1 {
		t.Errorf("%+v", m.Energy)
	}
}

func TestDeriveUnavailable(t *testing.T) {
	seconds := 100.0
	m := Model{Model: eval.Model{Name: "M"}, Replies: 200, DurationS: &seconds}
	rep := Report{PUE: 1, Factor: &emissions.CarbonFactor{GPerKWh: 500}}
	rep.derive(&m, answered(emissions.Reading{Energy: 7.2e9, Quality: emissions.Measured, Method: "rapl"},
		emissions.Reading{Quality: emissions.Unavailable, Method: "rapl", Reason: "no counter"}))
	e := m.Energy
	if e.Quality != emissions.Unavailable || e.Reason != "no counter" {
		t.Errorf("%+v", e)
	}
	if slices.ContainsFunc([]*float64{e.Wh, e.LowWh, e.HighWh, e.WhPer1000, e.WhPerCorrect, e.JPerToken, e.MeanW, m.EmissionsKg, m.GPer1000}, func(p *float64) bool { return p != nil }) {
		t.Errorf("a figure for what is not known: %+v, %v kg", e, m.EmissionsKg)
	}
}

func TestResumedReadingsAddUp(t *testing.T) {
	start := time.Now()
	a := emissions.Reading{Energy: 100, Low: 100, High: 200, Quality: emissions.Partial, Method: "rapl", Reason: "package-1 cannot be read",
		Zones: []emissions.Zone{{Name: "package-0", Energy: 100, Counted: true}}, Gaps: []emissions.Gap{{Zone: "package-0", Start: start, End: start}}}
	b := emissions.Reading{Energy: 50, Low: 40, High: 60, Quality: emissions.Partial, Method: "rapl", Reason: "package-0: 1.000 s are missing",
		Zones: []emissions.Zone{{Name: "package-0", Energy: 30, Counted: true}, {Name: "package-1", Energy: 20, Counted: true}}}
	sum, _ := answerReading(answered(a, b), "M")
	if sum.Energy != 150 || sum.Low != 140 || sum.High != 260 || len(sum.Gaps) != 1 || sum.Quality != emissions.Partial {
		t.Errorf("%+v", sum)
	}
	if sum.Reason != "package-1 cannot be read; package-0: 1.000 s are missing" {
		t.Errorf("reason %q", sum.Reason)
	}
	if len(sum.Zones) != 2 || sum.Zones[0].Energy != 130 || a.Zones[0].Energy != 100 {
		t.Errorf("zones %+v of %+v", sum.Zones, a.Zones)
	}
	b.Quality, b.Method = emissions.Estimated, "estimate"
	if sum, _ := answerReading(answered(a, b), "M"); sum.Quality != emissions.Partial || sum.Method != "rapl+estimate" || len(sum.Warnings) != 1 {
		t.Errorf("two methods: %+v", sum)
	}
}
