package emissions

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// Baseline is the power of the idle machine, measured before a run.
type Baseline struct {
	Duration time.Duration `json:"duration_ns"`
	MeanW    float64       `json:"mean_w"`
	SpreadW  float64       `json:"spread_w"` // standard deviation of the means of tenths of Duration
}

// MeasureBaseline watches a started meter for d. Nothing but the machine's
// usual business should go on meanwhile.
func MeasureBaseline(ctx context.Context, m Meter, d time.Duration) (Baseline, error) {
	const parts = 10
	start := time.Now()
	var watts []float64
	for i := range parts {
		from := start.Add(d * time.Duration(i) / parts)
		to := start.Add(d * time.Duration(i+1) / parts)
		select {
		case <-ctx.Done():
			return Baseline{}, context.Cause(ctx)
		case <-time.After(time.Until(to)):
		}
		r := m.Read(from, to)
		if r.Quality == Unavailable {
			return Baseline{}, errors.New("no idle baseline: energy is unavailable: " + r.Reason)
		}
		watts = append(watts, r.Energy.Joules()/to.Sub(from).Seconds())
	}
	mean, spread := meanSpread(watts)
	return Baseline{Duration: d, MeanW: mean, SpreadW: spread}, nil
}

func meanSpread(x []float64) (mean, sd float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		sd += (v - mean) * (v - mean) / float64(len(x)-1)
	}
	return mean, math.Sqrt(sd)
}

// Apply returns r with the energy above idle. Less than nothing is nothing:
// then the work is lost in the spread, and a warning says so.
func (b Baseline) Apply(r Reading) Reading {
	if r.Quality == Unavailable || b.Duration <= 0 {
		return r
	}
	idle := b.MeanW * 1e6 * r.End.Sub(r.Start).Seconds()
	above := Energy(math.Max(0, float64(r.Energy)-idle))
	r.AboveIdle = &above
	r.Warnings = append(r.Warnings, fmt.Sprintf(
		"idle baseline %.1f W, spread %.1f W, over %v before the run", b.MeanW, b.SpreadW, b.Duration))
	if float64(r.Energy) < idle {
		r.Warnings = append(r.Warnings, "the mean power is below the idle baseline: the energy above idle is within its spread")
	}
	return r
}

// WithBaseline returns m with an idle baseline: Start takes d longer, during
// which the machine should rest, and every Reading states the energy above
// idle. Where no baseline can be had, the readings say why.
func WithBaseline(m Meter, d time.Duration) Meter {
	if d <= 0 {
		return m
	}
	return &withBaseline{Meter: m, wait: d}
}

type withBaseline struct {
	Meter
	wait time.Duration
	base Baseline
	err  error
}

func (w *withBaseline) Start(ctx context.Context) error {
	if err := w.Meter.Start(ctx); err != nil {
		return err
	}
	w.base, w.err = MeasureBaseline(ctx, w.Meter, w.wait)
	if ctx.Err() != nil {
		return errors.Join(context.Cause(ctx), w.Meter.Close())
	}
	return nil
}

func (w *withBaseline) Read(from, to time.Time) Reading {
	r := w.base.Apply(w.Meter.Read(from, to))
	if w.err != nil && r.Quality != Unavailable {
		r.Warnings = append(r.Warnings, w.err.Error())
	}
	return r
}
