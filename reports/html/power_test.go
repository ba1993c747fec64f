package html

import (
	"strings"
	"testing"

	"github.com/disteval/disteval/reports"
)

func TestPowerLine(t *testing.T) {
	p := reports.Power{Ends: []float64{1, 2, 3, 4}}
	z := reports.PowerZone{W: []*float64{ptr(5), nil, nil, ptr(7)}}
	var got [][]any
	for _, d := range powerLine(p, z) {
		got = append(got, d.Value.([]any))
	}
	want := [][]any{{0.0, 5.0}, {1.0, 5.0}, {"-", "-"}, {3.0, 7.0}, {4.0, 7.0}}
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i := range want {
		if got[i][0] != want[i][0] || got[i][1] != want[i][1] {
			t.Errorf("point %d is %v, want %v: a gap stays a gap", i, got[i], want[i])
		}
	}
}

// TestManyZones: the chart draws as many as there are colours and says so, the
// table has all.
func TestManyZones(t *testing.T) {
	r := sampleReport(1)
	for range 37 {
		r.Power[0].Zones = append(r.Power[0].Zones, r.Power[0].Zones[2])
	}
	page := render(t, r)
	option := block[map[string]any](t, page, `id="option-power-0"`)
	if n := len(option["series"].([]any)); n != mostLines {
		t.Errorf("%d lines", n)
	}
	if !strings.Contains(page, "32 more zones are in the table alone") {
		t.Error("not said that zones are left out")
	}
}

func TestGateLeads(t *testing.T) {
	r := sampleReport(1)
	page := render(t, r)
	gate, headlines := strings.Index(page, `id="gate"`), strings.Index(page, `id="headlines"`)
	if gate < 0 || gate > headlines {
		t.Errorf("the gate stands at %d, the headlines at %d", gate, headlines)
	}
	for _, want := range []string{"Gate: regression", "of 3 checks: 2 regression, 1 pass", "&lt;b&gt;Lyon", "4 newly wrong", "Not judged"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q", want)
		}
	}
	for range 100 {
		r.Judgement.Checks = append(r.Judgement.Checks, r.Judgement.Checks[1])
	}
	if page = render(t, r); !strings.Contains(page, "And 82 more that did not pass") {
		t.Error("the list on top is not bounded")
	}
	if r.Judgement = nil; strings.Contains(render(t, r), `id="gate"`) {
		t.Error("a gate where nobody judged")
	}
}
