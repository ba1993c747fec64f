package rapl

import (
	"math"
	"testing"
	"time"
)

// feed gives a counter one reading per second.
func feed(c *counter, start time.Time, raws ...int64) {
	for i, raw := range raws {
		at := start.Add(time.Duration(i) * time.Second)
		if raw < 0 {
			c.fail("read failed")
			continue
		}
		c.take(mark{at, uint64(raw)})
	}
}

func TestCounter(t *testing.T) {
	const j = 1e6
	tests := []struct {
		name string
		span uint64
		raws []int64 // µJ a second apart; negative: the read fails
		want float64 // J
		lost time.Duration
		gaps int
	}{
		{"steady", 262143 * j, []int64{0, 100 * j, 200 * j}, 200, 0, 0},
		{"two wraps", 1000 * j, []int64{900 * j, 100 * j, 600 * j, 50 * j}, 1150, 0, 0},
		{"one failed read = 262 kJ", 262143 * j, []int64{100e3 * j, -1, 100200 * j, 100300 * j}, 300, 0, 1},
		{"one read of zero = 262 kJ", 262143 * j, []int64{100e3 * j, 0, 100200 * j, 100300 * j}, 300, 0, 1},
		{"failed reads across a wrap", 262143 * j, []int64{262100 * j, -1, -1, 57 * j}, 100, 0, 1},
		{"step back without range, CodeCarbon #1309", 0, []int64{4000 * j, 4100 * j, 10 * j, 110 * j, 210 * j}, 300, time.Second, 0},
		{"step back with range", 262143 * j, []int64{100e3 * j, 100100 * j, 10 * j, 110 * j, 210 * j}, 300, time.Second, 0},
		{"reset to zero and idle", 0, []int64{500 * j, 0, 0, 0}, 0, time.Second, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &counter{span: tt.span}
			start := time.Now()
			feed(c, start, tt.raws...)
			got := c.series.Between(start, start.Add(time.Duration(len(tt.raws)-1)*time.Second))
			if math.Abs(float64(got.Amount)/1e6-tt.want) > 0.001 || got.Lost != tt.lost || len(got.Gaps) != tt.gaps {
				t.Errorf("%.3f J, lost %v, %d gaps; want %.3f, %v, %d", float64(got.Amount)/1e6, got.Lost, len(got.Gaps), tt.want, tt.lost, tt.gaps)
			}
		})
	}
}

// A task of an hour at 300 W wraps a 262 kJ counter four times. Read only at
// the end it is 3 % of the truth; sampled in time it is the truth, and where
// the samples fail for that long the reading owns up.
func TestHourAt300W(t *testing.T) {
	const span, hour = 262143328850, time.Hour
	start := time.Now()
	raw := func(at time.Duration) uint64 { return uint64(300e6*at.Seconds()) % span }
	sampled, blind := &counter{span: span}, &counter{span: span}
	for at := time.Duration(0); at <= hour; at += time.Second {
		sampled.take(mark{start.Add(at), raw(at)})
		if at < time.Second || at == hour {
			blind.take(mark{start.Add(at), raw(at)})
		}
	}
	if got := sampled.series.Between(start, start.Add(hour)); got.Lost != 0 || math.Abs(float64(got.Amount)/1e6-300*3600) > 1 {
		t.Errorf("sampled: %+v", got)
	}
	if got := blind.series.Between(start, start.Add(hour)); got.Lost != hour {
		t.Errorf("an hour without samples is not owned up to: %+v", got)
	}
	if p := sampled.period(); p != time.Second {
		t.Errorf("period %v", p)
	}
	sampled.fail("away")
	if p := sampled.period(); p != retryPeriod {
		t.Errorf("a counter that fails is tried again after %v", p)
	}
	small := &counter{span: 100e6, peakW: 100}
	if p := small.period(); p != 250*time.Millisecond {
		t.Errorf("a counter that wraps in 1 s is read every %v, want 250ms", p)
	}
}
