package reports

import (
	"slices"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
)

// period is a stretch of time.
type period struct{ start, end time.Time }

// phasesOf lists the phases of one name of a model, in the order of time.
func phasesOf(rec eval.RunRecord, model string, name eval.PhaseName) []eval.Phase {
	var out []eval.Phase
	for _, p := range rec.Phases {
		if p.Model == model && p.Name == name {
			out = append(out, p)
		}
	}
	return out
}

// phaseSeconds is the time in phases of one name, of all processes of the run
// and of all its hosts, which work at the same time; nil where there is none.
func phaseSeconds(rec eval.RunRecord, model string, name eval.PhaseName) *float64 {
	var periods []period
	for _, p := range phasesOf(rec, model, name) {
		periods = append(periods, period{p.Start, p.End})
	}
	return secondsOf(periods)
}

// secondsOf is the length of the union; nil without a period.
func secondsOf(periods []period) *float64 {
	if len(periods) == 0 {
		return nil
	}
	seconds := union(periods).Seconds()
	return &seconds
}

// outside returns the part of a reply's time that no answer phase covers. A
// phase is stored as it grows: one that was cut by a kill ends before the
// replies that were stored after it.
func outside(phases []eval.Phase, r eval.Reply) (period, bool) {
	if r.Timing.Attempts == 0 || r.ReusedFrom != "" {
		return period{}, false // not asked in this run
	}
	left := period{r.Timing.Start, r.Timing.End}
	for _, p := range phases {
		if p.Host != r.Host {
			continue
		}
		if !p.Start.After(left.start) && p.End.After(left.start) {
			left.start = p.End
		}
		if p.Start.Before(left.end) && !p.End.Before(left.end) {
			left.end = p.Start
		}
	}
	return left, left.end.After(left.start)
}

// union is how long the periods are together, what they share counted once.
func union(periods []period) time.Duration {
	slices.SortFunc(periods, func(a, b period) int { return a.start.Compare(b.start) })
	var sum time.Duration
	var until time.Time
	for _, p := range periods {
		if p.start.Before(until) {
			p.start = until
		}
		if p.end.After(p.start) {
			sum += p.end.Sub(p.start)
			until = p.end
		}
	}
	return sum
}

// phaseWh adds up the energy of the phases of one name; nil where any has none.
func phaseWh(rec eval.RunRecord, model string, name eval.PhaseName) *float64 {
	var sum *float64
	for _, p := range phasesOf(rec, model, name) {
		if p.Reading.Quality == emissions.Unavailable {
			return nil
		}
		if sum == nil {
			sum = new(float64)
		}
		*sum += p.Reading.Energy.WattHours()
	}
	return sum
}
