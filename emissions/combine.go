package emissions

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// Combine returns a Meter whose readings are the sums of the meters'
// readings, such as processor and accelerator. The quality is the worst of
// them, where one that is unavailable leaves the sum partial; only where
// nothing is available is the sum unavailable.
func Combine(meters ...Meter) Meter { return combined(meters) }

type combined []Meter

func (c combined) Start(ctx context.Context) error {
	for i, m := range c {
		if err := m.Start(ctx); err != nil {
			return errors.Join(err, c[:i].Close())
		}
	}
	return nil
}

func (c combined) Close() error {
	var errs []error
	for _, m := range c {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}

func (c combined) Read(from, to time.Time) Reading {
	sum := Reading{Start: from, End: to, Quality: Unavailable}
	var methods, absent, reasons []string
	for _, m := range c {
		r := m.Read(from, to)
		sum.Zones = append(sum.Zones, r.Zones...)
		sum.Gaps = append(sum.Gaps, r.Gaps...)
		sum.Warnings = append(sum.Warnings, r.Warnings...)
		if r.Reason != "" {
			reasons = append(reasons, r.Method+": "+r.Reason)
		}
		if r.Quality == Unavailable {
			absent = append(absent, r.Method)
			continue
		}
		methods = append(methods, r.Method)
		sum.Energy += r.Energy
		sum.Low += r.Low
		sum.High += r.High
		sum.Quality = worse(sum.Quality, r.Quality)
	}
	switch {
	case len(methods) == 0:
		methods = absent
	case len(absent) > 0:
		sum.Quality = worse(sum.Quality, Partial)
		sum.Warnings = append(sum.Warnings, "the sum is without "+strings.Join(absent, " and ")+", which is unavailable")
	}
	sum.Method = strings.Join(methods, "+")
	sum.Reason = strings.Join(reasons, "; ")
	return sum
}

// worse returns the worse of two qualities, Unavailable standing for "none yet".
func worse(a, b Quality) Quality {
	if a == Unavailable {
		return b
	}
	order := []Quality{Measured, Partial, Estimated}
	return order[max(slices.Index(order, a), slices.Index(order, b))]
}
