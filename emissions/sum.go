package emissions

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Combine returns a Meter whose readings are the sums of the meters'
// readings, such as processor and accelerator. What is measured and what is
// estimated make a partial sum, and so does a meter that is unavailable beside
// one that is not; only where nothing is available is the sum unavailable.
func Combine(meters ...Meter) Meter {
	if len(meters) == 1 {
		return meters[0]
	}
	return combined(meters)
}

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
	zones := map[bool][]string{} // counted, by whether they are estimated
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
		if len(methods) == 0 {
			sum.Quality = r.Quality
		}
		methods = append(methods, r.Method)
		sum.Quality = QualityOfSum(sum.Quality, r.Quality)
		sum.addAmounts(r)
		for _, z := range r.Zones {
			if z.Counted {
				zones[r.Quality == Estimated] = append(zones[r.Quality == Estimated], z.Name)
			}
		}
	}
	if len(zones) == 2 {
		reasons = append(reasons, fmt.Sprintf("%s: estimated, for want of a counter; measured: %s", strings.Join(zones[true], " and "), strings.Join(zones[false], ", ")))
	}
	switch {
	case len(methods) == 0:
		methods = absent
	case len(absent) > 0:
		sum.Quality = Worse(sum.Quality, Partial)
		sum.Warnings = append(sum.Warnings, "the sum is without "+strings.Join(absent, " and ")+", which is unavailable")
	}
	sum.Method = strings.Join(methods, "+")
	sum.Reason = strings.Join(reasons, "; ")
	return sum
}

// QualityOfSum is the quality of a sum of two figures that are both known: what is
// in part measured is not all estimated.
func QualityOfSum(a, b Quality) Quality {
	if a != b && (a == Estimated || b == Estimated) {
		return Partial
	}
	return Worse(a, b)
}

func (r *Reading) addAmounts(o Reading) {
	modelled := r.Energy - r.MeasuredPart() + o.Energy - o.MeasuredPart()
	r.Energy, r.Low, r.High, r.Modelled = r.Energy+o.Energy, r.Low+o.Low, r.High+o.High, modelled
}

// Then returns the sum of a reading and a later one, such as before and after
// a resumption. Where one of them has no energy the sum has none, since it
// would pass for the whole.
func (r Reading) Then(next Reading) Reading {
	sum := r
	sum.ServerShare = weightedShare(r, next)
	sum.addAmounts(next)
	sum.End = next.End
	sum.Quality = Unavailable
	if r.Quality != Unavailable && next.Quality != Unavailable {
		sum.Quality = QualityOfSum(r.Quality, next.Quality)
	}
	if next.Reason != "" && next.Reason != r.Reason {
		sum.Reason = strings.TrimPrefix(r.Reason+"; "+next.Reason, "; ")
	}
	sum.Warnings = slices.Clone(r.Warnings)
	for _, w := range next.Warnings {
		if !slices.Contains(sum.Warnings, w) {
			sum.Warnings = append(sum.Warnings, w)
		}
	}
	if r.Method != next.Method {
		sum.Warnings = append(sum.Warnings, fmt.Sprintf("metered by %s before and by %s after a resumption", r.Method, next.Method))
		sum.Method += "+" + next.Method
	}
	sum.Gaps = slices.Concat(r.Gaps, next.Gaps)
	sum.Zones = addZones(r.Zones, next.Zones)
	sum.AboveIdle = nil
	if r.AboveIdle != nil && next.AboveIdle != nil {
		above := *r.AboveIdle + *next.AboveIdle
		sum.AboveIdle = &above
	}
	return sum
}

// addZones adds zones up by name, in the order in which they appear.
func addZones(a, b []Zone) []Zone {
	sum := slices.Clone(a)
	for _, z := range b {
		i := slices.IndexFunc(sum, func(have Zone) bool { return have.Name == z.Name })
		if i < 0 {
			sum = append(sum, z)
			continue
		}
		sum[i].Energy += z.Energy
	}
	return sum
}

// weightedShare is the model server's share over both readings, nil where one
// of them lacks it.
func weightedShare(a, b Reading) *float64 {
	total := float64(a.Energy + b.Energy)
	if a.ServerShare == nil || b.ServerShare == nil || total <= 0 {
		return nil
	}
	share := (*a.ServerShare*float64(a.Energy) + *b.ServerShare*float64(b.Energy)) / total
	return &share
}

// OfHosts returns the sum of what several machines measured at work on one
// thing. Machines without a meter are named, and leave the sum partial; only
// where none has one is it unavailable. What one machine measured is that.
func OfHosts(readings map[string]Reading) Reading {
	if len(readings) == 1 {
		for _, r := range readings {
			return r
		}
	}
	var sum Reading
	var absent, reasons []string
	known := false
	for _, host := range slices.Sorted(maps.Keys(readings)) {
		r := readings[host]
		for i, w := range r.Warnings {
			r.Warnings = slices.Clone(r.Warnings)
			r.Warnings[i] = host + ": " + w
		}
		switch {
		case r.Quality == Unavailable:
			absent, reasons = append(absent, host), append(reasons, host+": "+r.Reason)
		case !known:
			sum, known = r, true
		default:
			sum = sum.beside(r)
		}
	}
	switch {
	case !known:
		return Reading{Quality: Unavailable, Method: "off", Reason: strings.Join(reasons, "; ")}
	case len(absent) > 0:
		sum.Quality = Worse(sum.Quality, Partial)
		sum.Reason = strings.TrimPrefix(sum.Reason+"; no meter on "+strings.Join(reasons, "; "), "; ")
	}
	return sum
}

// beside adds what another machine measured.
func (r Reading) beside(o Reading) Reading {
	if r.Method != o.Method { // not one meter that was replaced by another
		var methods []string
		for _, m := range slices.Concat(strings.Split(r.Method, "+"), strings.Split(o.Method, "+")) {
			if !slices.Contains(methods, m) {
				methods = append(methods, m)
			}
		}
		both := strings.Join(methods, "+")
		r.Method, o.Method = both, both
	}
	sum := r.Then(o)
	sum.Start = r.Start
	if o.Start.Before(r.Start) {
		sum.Start = o.Start
	}
	if r.End.After(o.End) {
		sum.End = r.End
	}
	return sum
}
