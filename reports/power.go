package reports

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
)

// mostPowerSteps is how many steps a machine's power has in a report.
const mostPowerSteps = 1000

// Power is what the zones of one machine drew while its models had their turns.
// Its clock stands still between two sessions of a run that was resumed.
type Power struct {
	Place    string         // the model server's host:port; empty where one machine is all there is
	Zones    []PowerZone    // those that are part of the sum first
	Ends     []float64      // of the steps, s; the first begins at 0
	Parts    []PowerPart    // what went on meanwhile, in order and without a hole
	Sessions []PowerSession // in order
	Kept     int            // steps of the record; more than there are Ends where these were joined
	Left     int            // zones that the record left out
}

// PowerZone is the power of one zone.
type PowerZone struct {
	Name      string
	Counted   bool
	Estimated bool
	W         []*float64 // by step; nil where it was not read
}

// PowerPart is a stretch of one kind of work.
type PowerPart struct {
	Model      string
	Name       eval.PhaseName // Idle between phases
	Start, End float64        // s
}

// Idle is the name of a part in which no phase went on.
const Idle eval.PhaseName = "idle"

// PowerSession is one process of the run.
type PowerSession struct {
	Begun time.Time
	Start float64 // s, on the clock of Power
}

// powerOf returns the power over time, machine by machine, and what is to be said
// where there is none or not all.
func powerOf(rec eval.RunRecord) (all []Power, notes []string) {
	if fleet := len(rec.Hosts) > 0; fleet {
		return nil, []string{"Workers answered. They send the energy of their machines and not its course, and one machine's would not be the whole: see each host's energy among the machines."}
	}
	places := make(map[string]*powerBuilder)
	var order []string
	for _, m := range rec.Plan.Models {
		place := placeOf(m)
		if places[place] == nil {
			places[place] = &powerBuilder{}
			order = append(order, place)
		}
	}
	for _, t := range inTime(rec.Power) {
		i := slices.IndexFunc(rec.Plan.Models, func(m eval.Model) bool { return m.Name == t.Model })
		if i < 0 {
			continue
		}
		if len(t.Zones) == 0 {
			notes = append(notes, fmt.Sprintf("%s: its power is not known: %s", t.Model, cmp.Or(t.Reason, "no zone was read")))
			continue
		}
		places[placeOf(rec.Plan.Models[i])].add(t, rec.Phases)
	}
	for _, place := range order {
		if b := places[place]; len(b.Ends) > 0 {
			b.Place = place
			b.finish()
			all = append(all, b.Power)
		}
	}
	if len(all) == 1 {
		all[0].Place = ""
	}
	return all, append(notes, powerMissing(rec)...)
}

// powerMissing says which sessions that asked anything left no power.
func powerMissing(rec eval.RunRecord) []string {
	asked, kept := map[int]bool{}, map[int]bool{}
	for _, p := range rec.Phases {
		if p.Host == "" { // others are taken over from another run
			asked[p.Process] = true
		}
	}
	for _, p := range rec.Power {
		kept[p.Process] = true
	}
	var without []string
	for process := range asked {
		if !kept[process] {
			without = append(without, fmt.Sprint(process))
		}
	}
	slices.Sort(without)
	switch {
	case len(asked) == 0:
		return []string{"Nothing was asked and metered in this run itself."}
	case len(rec.Power) == 0:
		return []string{"The record keeps no power over time: it was made by a version that did not, or ended before any was stored."}
	case len(without) > 0:
		return []string{"Of session " + strings.Join(without, ", ") + " no power was stored: it was recorded by a version that kept none, or killed at its beginning."}
	}
	return nil
}

// placeOf is the host:port at which a model answers; empty: this process.
func placeOf(m eval.Model) string {
	if u, err := url.Parse(m.Host); err == nil {
		return u.Host
	}
	return m.Host
}

func inTime(turns []eval.TurnPower) []eval.TurnPower {
	turns = slices.Clone(turns)
	slices.SortStableFunc(turns, func(a, b eval.TurnPower) int {
		return cmp.Or(cmp.Compare(a.Process, b.Process), a.Start.Compare(b.Start))
	})
	return turns
}

// powerBuilder joins the turns on one machine.
type powerBuilder struct {
	Power
	process int
	zero    time.Time // where the session's clock is at Sessions' newest Start
}

// add appends a turn; they come in order.
func (b *powerBuilder) add(t eval.TurnPower, phases []eval.Phase) {
	if t.Process != b.process {
		b.process, b.zero = t.Process, t.Start
		b.Sessions = append(b.Sessions, PowerSession{Begun: t.Start, Start: b.now()})
	}
	base := b.Sessions[len(b.Sessions)-1].Start + t.Start.Sub(b.zero).Seconds()
	if base > b.now() { // a turn between left nothing
		b.Parts = append(b.Parts, PowerPart{Name: Idle, Start: b.now(), End: base})
		b.step(base)
	}
	b.addParts(t, phases, base)
	for _, z := range t.Zones {
		b.zone(z)
	}
	for at, end := range t.Ends {
		b.step(base + end.Seconds())
		for _, z := range t.Zones {
			b.Zones[b.zone(z)].W[len(b.Ends)-1] = z.W[at]
		}
	}
	b.Left = max(b.Left, t.Left)
}

// now is where the clock stands.
func (b *powerBuilder) now() float64 {
	if len(b.Ends) == 0 {
		return 0
	}
	return b.Ends[len(b.Ends)-1]
}

// step appends a step in which nothing is known yet.
func (b *powerBuilder) step(end float64) {
	b.Ends = append(b.Ends, end)
	for i := range b.Zones {
		b.Zones[i].W = append(b.Zones[i].W, nil)
	}
}

// zone is the index of a zone, which is new the first time.
func (b *powerBuilder) zone(z emissions.ZonePower) int {
	i := slices.IndexFunc(b.Zones, func(have PowerZone) bool { return have.Name == z.Name })
	if i < 0 {
		i = len(b.Zones)
		b.Zones = append(b.Zones, PowerZone{Name: z.Name, Counted: z.Counted, Estimated: z.Estimated, W: make([]*float64, len(b.Ends))})
	}
	return i
}

// addParts appends the phases of a turn and what lies between them.
func (b *powerBuilder) addParts(t eval.TurnPower, phases []eval.Phase, base float64) {
	own := slices.DeleteFunc(slices.Clone(phases), func(p eval.Phase) bool {
		return p.Model != t.Model || p.Process != t.Process || p.Host != ""
	})
	slices.SortFunc(own, func(a, b eval.Phase) int { return a.Start.Compare(b.Start) })
	at, last := base, base+t.Ends[len(t.Ends)-1].Seconds()
	for _, p := range own {
		start := min(max(base+p.Start.Sub(t.Start).Seconds(), at), last)
		end := min(max(base+p.End.Sub(t.Start).Seconds(), start), last)
		b.part(PowerPart{t.Model, Idle, at, start})
		b.part(PowerPart{t.Model, p.Name, start, end})
		at = end
	}
	b.part(PowerPart{t.Model, Idle, at, last})
}

func (b *powerBuilder) part(p PowerPart) {
	if p.End > p.Start {
		b.Parts = append(b.Parts, p)
	}
}

// finish puts the zones in order and joins steps where there are too many.
func (b *powerBuilder) finish() {
	slices.SortStableFunc(b.Zones, func(x, y PowerZone) int {
		switch {
		case x.Counted == y.Counted:
			return 0
		case x.Counted:
			return -1
		}
		return 1
	})
	b.Kept = len(b.Ends)
	if b.Kept <= mostPowerSteps {
		return
	}
	joined := make([]PowerZone, len(b.Zones))
	for i, z := range b.Zones {
		joined[i] = z
		joined[i].W = nil
	}
	var ends []float64
	width := b.now() / mostPowerSteps
	for first, part := 0, 0; first < len(b.Ends); {
		for part < len(b.Parts)-1 && b.Parts[part].End <= b.begin(first) {
			part++
		}
		last := first
		for last+1 < len(b.Ends) && b.Ends[last+1] <= min(b.begin(first)+width, b.Parts[part].End) {
			last++
		}
		ends = append(ends, b.Ends[last])
		for i := range joined {
			joined[i].W = append(joined[i].W, b.mean(b.Zones[i], first, last))
		}
		first = last + 1
	}
	b.Zones, b.Ends = joined, ends
}

// begin is where a step begins.
func (p Power) begin(step int) float64 {
	if step == 0 {
		return 0
	}
	return p.Ends[step-1]
}

// mean is a zone's mean power from one step to another; nil where it is not
// known for half of the time or more.
func (p Power) mean(z PowerZone, first, last int) *float64 {
	joules, known := 0.0, 0.0
	for step := first; step <= last; step++ {
		if seconds := p.Ends[step] - p.begin(step); z.W[step] != nil {
			joules, known = joules+*z.W[step]*seconds, known+seconds
		}
	}
	if all := p.Ends[last] - p.begin(first); known <= 0 || 2*known <= all {
		return nil
	}
	w := joules / known
	return &w
}

// PowerFigure is one zone over all parts of one kind of a model's.
type PowerFigure struct {
	Zone     PowerZone
	Model    string
	Part     eval.PhaseName
	Seconds  float64  // how long these parts took
	UnknownS float64  // of Seconds
	MeanW    *float64 // over the known time; nil where there is none
	PeakW    *float64 // of the steps
}

// Figures are the zones' mean powers by model and kind of part, in the order in
// which these come.
func (p Power) Figures() []PowerFigure {
	type key struct {
		model string
		part  eval.PhaseName
	}
	var order []key
	steps := map[key][]int{}
	part := 0
	for step, end := range p.Ends {
		middle := (p.begin(step) + end) / 2
		for part < len(p.Parts)-1 && p.Parts[part].End <= middle {
			part++
		}
		k := key{p.Parts[part].Model, p.Parts[part].Name}
		if steps[k] == nil {
			order = append(order, k)
		}
		steps[k] = append(steps[k], step)
	}
	var out []PowerFigure
	for _, k := range order {
		for _, z := range p.Zones {
			f := PowerFigure{Zone: z, Model: k.model, Part: k.part}
			joules := 0.0
			for _, step := range steps[k] {
				seconds, w := p.Ends[step]-p.begin(step), z.W[step]
				f.Seconds += seconds
				if w == nil {
					f.UnknownS += seconds
					continue
				}
				joules += *w * seconds
				if f.PeakW == nil || *w > *f.PeakW {
					f.PeakW = w
				}
			}
			if known := f.Seconds - f.UnknownS; f.PeakW != nil && known > 0 {
				f.MeanW = ratio(joules, &known)
			}
			out = append(out, f)
		}
	}
	return out
}
