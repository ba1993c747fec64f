package emissions

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"
)

// stepped is a meter of zones whose power is at over the middle of an interval;
// a zone is not read between lost and found.
type stepped struct {
	zones       int
	at          func(zone int, t time.Time) float64
	lost, found time.Time
}

func (stepped) Start(context.Context) error { return nil }
func (stepped) Close() error                { return nil }

func (s stepped) Read(from, to time.Time) Reading {
	r := Reading{Start: from, End: to, Quality: Measured, Method: "test"}
	middle := from.Add(to.Sub(from) / 2)
	for i := range s.zones {
		z := Zone{Name: fmt.Sprint("zone-", i), Kind: CPU, Counted: i%2 == 1, Estimated: i == 1}
		z.Energy = Energy(s.at(i, middle) * to.Sub(from).Seconds() * 1e6)
		r.Zones = append(r.Zones, z)
		r.Gaps = append(r.Gaps, clip([]Gap{{Zone: z.Name, Start: s.lost, End: s.found}}, from, to)...)
	}
	return r
}

func TestReadPower(t *testing.T) {
	zero := time.Unix(1000, 0)
	at := func(seconds float64) time.Time { return zero.Add(time.Duration(seconds * 1e9)) }
	loaded := at(0.7)
	m := stepped{zones: 2, lost: at(10), found: at(12), at: func(_ int, now time.Time) float64 {
		if now.Before(loaded) {
			return 50
		}
		return 100
	}}
	p := ReadPower(m, []time.Time{zero, loaded, loaded, at(60)})
	if !p.Whole() || p.Left != 0 || p.Reason != "" || len(p.Zones) != 2 || !p.Zones[1].Estimated || p.Zones[0].Counted {
		t.Fatalf("%+v", p)
	}
	if n := len(p.Ends); n < 200 || n > mostSteps+2 || p.Ends[n-1] != time.Minute {
		t.Errorf("%d steps up to %v", n, p.Ends[n-1])
	}
	begin, unread := time.Duration(0), time.Duration(0)
	for i, end := range p.Ends {
		switch w := p.Zones[0].W[i]; {
		case w == nil:
			unread += end - begin
		case *w != 50 && end <= loaded.Sub(zero), *w != 100 && begin >= loaded.Sub(zero):
			t.Errorf("%g W from %v to %v: the step reaches over the cut", *w, begin, end)
		}
		begin = end
	}
	if math.Abs(unread.Seconds()-2) > 0.5 {
		t.Errorf("%v without power, want the 2 s in which the zone was not read", unread)
	}
}

func TestReadPowerIsBounded(t *testing.T) {
	zero := time.Unix(1000, 0)
	m := stepped{zones: 500, at: func(int, time.Time) float64 { return 1 }}
	p := ReadPower(m, []time.Time{zero, zero.Add(1000 * time.Hour)})
	if len(p.Ends) != mostSteps || len(p.Zones) != mostZones || p.Left != 500-mostZones {
		t.Errorf("%d steps of %d zones, %d left out", len(p.Ends), len(p.Zones), p.Left)
	}
	for _, z := range p.Zones {
		if !z.Counted {
			t.Errorf("%s stays, which is not counted, while counted ones are left out", z.Name)
		}
	}
}

func TestReadPowerWithoutPower(t *testing.T) {
	p := ReadPower(NewUnavailable("off", "metering is off"), []time.Time{time.Unix(0, 0), time.Unix(60, 0)})
	if len(p.Ends) != 0 || len(p.Zones) != 0 || p.Reason != "metering is off" || !p.Whole() {
		t.Errorf("%+v", p)
	}
	same := ReadPower(steady{10, Measured, "x"}, []time.Time{time.Unix(0, 0), time.Unix(0, 0)})
	if len(same.Ends) != 0 || !same.Whole() {
		t.Errorf("over no time: %+v", same)
	}
}
