package emissions

import (
	"context"
	"encoding/json"
	"math"
	"testing"
	"time"
)

// steady is a meter of constant power.
type steady struct {
	watts   float64
	quality Quality
	method  string
}

func (steady) Start(context.Context) error { return nil }
func (steady) Close() error                { return nil }
func (s steady) Read(from, to time.Time) Reading {
	e := Energy(s.watts * 1e6 * to.Sub(from).Seconds())
	return Reading{Start: from, End: to, Energy: e, Low: e, High: e, Quality: s.quality, Method: s.method,
		Zones: []Zone{{Name: s.method + "-0", Energy: e, Counted: true}}}
}

func TestKgCO2e(t *testing.T) {
	got := KgCO2e(Energy(3.6e12), 1.5, CarbonFactor{GPerKWh: 400}) // 1 kWh
	if math.Abs(got-0.6) > 1e-12 {
		t.Errorf("%v kg, want 0.6", got)
	}
}

func TestSeries(t *testing.T) {
	var s Series
	start := time.Now()
	at := func(sec float64) time.Time { return start.Add(time.Duration(sec * 1e9)) }
	s.Add(at(0), 0)
	s.Add(at(10), 1000)
	s.Add(at(5), 7) // out of order
	s.AddLost(at(20), 1000, "stepped")
	s.Add(at(30), 2000)
	tests := []struct {
		from, to float64
		amount   uint64
		lost     time.Duration
	}{
		{0, 10, 1000, 0}, {2.5, 7.5, 500, 0}, {5, 25, 1000, 10 * time.Second},
		{12, 14, 0, 2 * time.Second}, {-5, 10, 1000, 5 * time.Second}, {25, 35, 500, 5 * time.Second}, {40, 50, 0, 10 * time.Second},
	}
	for _, tt := range tests {
		if c := s.Between(at(tt.from), at(tt.to)); c.Amount != tt.amount || c.Lost != tt.lost {
			t.Errorf("[%v, %v]: %d, lost %v; want %d, %v", tt.from, tt.to, c.Amount, c.Lost, tt.amount, tt.lost)
		}
	}
	var empty Series
	if c := empty.Between(at(0), at(1)); c.Lost != time.Second || c.Amount != 0 {
		t.Errorf("an empty series: %+v", c)
	}
}

// A day of samples, ten a second, stays small and exact to a thousandth for
// every interval that reaches to the present.
func TestSeriesMemory(t *testing.T) {
	var s Series
	start := time.Now()
	sum := func(sec float64) uint64 { return uint64(100e6*sec + 20e6*math.Sin(sec/7)) }
	const day = 86400.0
	for i := range int(day * 10) {
		s.Add(start.Add(time.Duration(i)*100*time.Millisecond), sum(float64(i)/10))
	}
	if n := len(s.points); n > 70_000 {
		t.Errorf("%d points are kept", n)
	}
	end := day - 0.1
	for _, length := range []float64{0.5, 3, 60, 3600, 40_000, day - 1} {
		c := s.Between(start.Add(time.Duration((end-length)*1e9)), start.Add(time.Duration(end*1e9)))
		want := float64(sum(end) - sum(end-length))
		if math.Abs(float64(c.Amount)/want-1) > 0.001 || c.Lost != 0 {
			t.Errorf("%v s: %d, want %.0f", length, c.Amount, want)
		}
	}
}

func TestCombine(t *testing.T) {
	from := time.Now()
	to := from.Add(time.Second)
	tests := []struct {
		name   string
		meters []Meter
		want   Quality
		energy Energy
		method string
	}{
		{"both measured", []Meter{steady{100, Measured, "rapl"}, steady{50, Measured, "nvml"}}, Measured, 150e6, "rapl+nvml"},
		{"one partial", []Meter{steady{100, Measured, "rapl"}, steady{50, Partial, "nvml"}}, Partial, 150e6, "rapl+nvml"},
		{"one estimated", []Meter{steady{100, Estimated, "estimate"}, steady{50, Measured, "nvml"}}, Partial, 150e6, "estimate+nvml"},
		{"all estimated", []Meter{steady{100, Estimated, "estimate"}, steady{50, Estimated, "codecarbon-2.3"}}, Estimated, 150e6, "estimate+codecarbon-2.3"},
		{"one unavailable", []Meter{steady{100, Measured, "rapl"}, NewUnavailable("nvml", "none")}, Partial, 100e6, "rapl"},
		{"none", []Meter{NewUnavailable("rapl", "no"), NewUnavailable("nvml", "none")}, Unavailable, 0, "rapl+nvml"},
	}
	for _, tt := range tests {
		m := Combine(tt.meters...)
		if err := m.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r := m.Read(from, to); r.Quality != tt.want || r.Energy != tt.energy || r.Method != tt.method {
			t.Errorf("%s: %+v", tt.name, r)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A sum is so much measured and so much estimated, over machines and over time.
func TestMeasuredPart(t *testing.T) {
	from := time.Now()
	m := Combine(steady{30, Estimated, "estimate"}, steady{70, Measured, "nvml"})
	first, second := m.Read(from, from.Add(time.Second)), m.Read(from.Add(time.Second), from.Add(3*time.Second))
	if first.Energy != 100e6 || first.MeasuredPart() != 70e6 || first.Quality != Partial ||
		first.Reason != "estimate-0: estimated, for want of a counter; measured: nvml-0" {
		t.Errorf("%+v", first)
	}
	sum := first.Then(second)
	if sum.Energy != 300e6 || sum.MeasuredPart() != 210e6 || sum.Quality != Partial || sum.End != second.End {
		t.Errorf("%+v", sum)
	}
	later := steady{100, Measured, "rapl"}.Read(from, from.Add(time.Second))
	estimated := steady{50, Estimated, "estimate"}.Read(from, from.Add(time.Second))
	if sum := estimated.Then(later); sum.MeasuredPart() != 100e6 || sum.Quality != Partial || sum.Method != "estimate+rapl" || len(sum.Warnings) != 1 {
		t.Errorf("%+v", sum)
	}
	none := NewUnavailable("rapl", "no counters").Read(from, from)
	if sum := later.Then(none); sum.Quality != Unavailable || sum.MeasuredPart() != 0 || sum.Reason != "no counters" {
		t.Errorf("%+v", sum)
	}
	if sum := none.Then(later); sum.Quality != Unavailable {
		t.Errorf("%+v", sum)
	}
}

// Records of before zones had a kind are read by the names of then.
func TestKindOfOldZones(t *testing.T) {
	for name, want := range map[string]Kind{
		"package-0": CPU, "package-0/dram": Memory, "package-1/core": CPU, "psys": Platform, "cpu": CPU, "memory": Memory, "gpu-0 NVIDIA H200": GPU,
	} {
		var z Zone
		if err := json.Unmarshal([]byte(`{"name":"`+name+`","energy":5,"counted":true}`), &z); err != nil || z.Kind != want || z.Energy != 5 {
			t.Errorf("%s: %+v, %v", name, z, err)
		}
	}
	var z Zone
	if err := json.Unmarshal([]byte(`{"name":"memory","kind":"gpu"}`), &z); err != nil || z.Kind != GPU {
		t.Errorf("%+v, %v", z, err)
	}
}

func TestWorse(t *testing.T) {
	if Worse(Measured, Partial) != Partial || Worse(Unavailable, Estimated) != Unavailable || Worse(Estimated, Partial) != Estimated {
		t.Error("the order of qualities")
	}
}

func TestBaseline(t *testing.T) {
	m := WithBaseline(steady{40, Measured, "rapl"}, 100*time.Millisecond)
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	busy := Reading{Start: time.Now(), Energy: 100e6, Quality: Measured}
	busy.End = busy.Start.Add(time.Second)
	r := m.(*withBaseline).base.Apply(busy)
	if r.AboveIdle == nil || math.Abs(r.AboveIdle.Joules()-60) > 0.1 || len(r.Warnings) != 1 {
		t.Errorf("%+v", r)
	}
	busy.Energy = 30e6
	if r := m.(*withBaseline).base.Apply(busy); *r.AboveIdle != 0 || len(r.Warnings) != 2 {
		t.Errorf("below idle: %+v", r)
	}
	if none := WithBaseline(m, 0); none != m {
		t.Error("a baseline though it is off")
	}
	without := WithBaseline(NewUnavailable("rapl", "no counters"), 10*time.Millisecond)
	if err := without.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := without.Read(busy.Start, busy.End); r.AboveIdle != nil || r.Quality != Unavailable {
		t.Errorf("%+v", r)
	}
}

func TestSamplerStops(t *testing.T) {
	n := 0
	s := StartSampler(t.Context(), func() time.Duration { n++; return time.Millisecond })
	time.Sleep(20 * time.Millisecond)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if after := n; after < 3 {
		t.Errorf("%d samples in 20 ms", after)
	}
}

// late is a meter whose counter can be read again after some reads.
type late struct {
	steady
	fails int
}

func (l *late) Read(from, to time.Time) Reading {
	r := l.steady.Read(from, to)
	if l.fails--; l.fails >= 0 {
		r.Quality = Partial
		r.Gaps = []Gap{{Start: from, End: to, Open: true}}
	}
	return r
}

func TestReadWhole(t *testing.T) {
	now := time.Now()
	if r := ReadWhole(&late{steady{100, Measured, "x"}, 3}, now, now); r.Quality != Measured {
		t.Errorf("did not wait for the third read: %+v", r)
	}
	if r := ReadWhole(&late{steady{100, Measured, "x"}, 1e9}, now, now); r.Quality != Partial {
		t.Errorf("a counter that stays away: %+v", r)
	}
}
