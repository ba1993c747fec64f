package reports

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/stat"
)

// Machine is a host that answered for the run.
type Machine struct {
	Name        string
	Fingerprint string // of its kind; empty where it is not known
	Replies     int    // answers of all models
	Seats       []Seat // by model, in the plan's order; those only for which it was asked
}

// Seat is one model's figures on one host.
type Seat struct {
	Model     string
	Replies   int
	Failures  int
	BusyS     *float64 // time in which a question was in work
	WallS     *float64 // from the first question of a turn to its last answer, turns added up; nil where no turn is recorded
	LatencyMS Latency
	EnergyWh  *float64
	Quality   emissions.Quality
	Reason    string // why there is no energy
}

// Agreement says how far two hosts answer the same questions alike.
type Agreement struct {
	Model      string
	A, B       string // hosts, A before B in the alphabet
	N          int    // questions that both answered
	Same       int    // of them with the same text
	Scored     int    // of them with log-probabilities from both
	SameScored int    // of these with the same tokens and log-probabilities
	Differ     []eval.JobID
}

// hosts gathers what hosts answered; it stays empty in a run of one machine.
type hosts struct {
	seats  map[seatKey]*seatTally
	audits map[eval.JobID][]eval.Reply
	agree  map[agreementKey]*Agreement
}

type seatKey struct{ host, model string }

type agreementKey struct{ model, a, b string }

type seatTally struct {
	replies, failures int
	latencyMS         []float64
	periods           []period
}

func newHosts(rec eval.RunRecord) *hosts {
	h := &hosts{seats: make(map[seatKey]*seatTally), audits: make(map[eval.JobID][]eval.Reply), agree: make(map[agreementKey]*Agreement)}
	for _, r := range rec.Audits {
		h.audits[r.JobID] = append(h.audits[r.JobID], r)
	}
	return h
}

func (h *hosts) add(r eval.Reply) {
	if r.Host == "" {
		return
	}
	k := seatKey{r.Host, r.JobID.Model}
	t := h.seats[k]
	if t == nil {
		t = &seatTally{}
		h.seats[k] = t
	}
	t.periods = append(t.periods, period{r.Timing.Start, r.Timing.End})
	if r.Failure != nil {
		t.failures++
		return
	}
	t.replies++
	t.latencyMS = append(t.latencyMS, float64(r.Timing.Latency())/1e6)
	for _, second := range h.audits[r.JobID] {
		if second.Failure == nil && second.Host != r.Host {
			h.compare(r, second)
		}
	}
}

func (h *hosts) compare(a, b eval.Reply) {
	if b.Host < a.Host {
		a, b = b, a
	}
	k := agreementKey{a.JobID.Model, a.Host, b.Host}
	g := h.agree[k]
	if g == nil {
		g = &Agreement{Model: k.model, A: a.Host, B: b.Host}
		h.agree[k] = g
	}
	g.N++
	if a.Text == b.Text {
		g.Same++
	} else {
		g.Differ = append(g.Differ, a.JobID)
	}
	if a.Tokens == nil || b.Tokens == nil {
		return
	}
	g.Scored++
	if slices.EqualFunc(a.Tokens, b.Tokens, func(x, y eval.Token) bool { return x.ID == y.ID && x.Text == y.Text && x.Logprob == y.Logprob }) {
		g.SameScored++
	}
}

// machines lists the hosts by name.
func (h *hosts) machines(rec eval.RunRecord) []Machine {
	byName := make(map[string]*Machine)
	for k := range h.seats {
		if byName[k.host] == nil {
			byName[k.host] = &Machine{Name: k.host}
			if known, ok := rec.Hosts[k.host]; ok {
				byName[k.host].Fingerprint = known.Fingerprint()
			}
		}
	}
	var out []Machine
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		m := byName[name]
		for _, model := range rec.Plan.Models {
			if t := h.seats[seatKey{name, model.Name}]; t != nil {
				m.Replies += t.replies
				m.Seats = append(m.Seats, t.seat(name, model.Name, rec))
			}
		}
		out = append(out, *m)
	}
	return out
}

func (t *seatTally) seat(host, model string, rec eval.RunRecord) Seat {
	slices.Sort(t.latencyMS)
	at := func(p float64) *float64 {
		if v, ok := stat.Percentile(t.latencyMS, p); ok {
			return &v
		}
		return nil
	}
	s := Seat{Model: model, Replies: t.replies, Failures: t.failures, BusyS: secondsOf(t.periods), Quality: emissions.Unavailable,
		LatencyMS: Latency{P50: at(0.50), P95: at(0.95), P99: at(0.99)}}
	rec.Phases = slices.DeleteFunc(slices.Clone(rec.Phases), func(p eval.Phase) bool { return p.Host != host })
	s.WallS = phaseSeconds(rec, model, eval.PhaseAnswer)
	if reading, ok := answerReadings(rec.Phases, model)[host]; ok {
		if s.Quality, s.Reason = reading.Quality, reading.Reason; s.Quality != emissions.Unavailable {
			s.EnergyWh = watthours(reading.Energy)
		}
	}
	return s
}

func (h *hosts) agreements() []Agreement {
	var out []Agreement
	for _, g := range h.agree {
		out = append(out, *g)
	}
	slices.SortFunc(out, func(x, y Agreement) int {
		return cmp.Or(strings.Compare(x.Model, y.Model), strings.Compare(x.A, y.A), strings.Compare(x.B, y.B))
	})
	return out
}

// HostKind names the kind of machine whose times and energies the report
// states: where workers answered, the kinds of all of them.
func (r Report) HostKind() string {
	kinds := make(map[string]bool)
	for _, m := range r.Machines {
		kinds[cmp.Or(m.Fingerprint, "unknown")] = true
	}
	if len(kinds) == 0 {
		return r.Host.Fingerprint()
	}
	return strings.Join(slices.Sorted(maps.Keys(kinds)), " + ")
}

// WithoutHosts is a run as if these hosts had never answered for it. That one
// of them did not is bad input.
func WithoutHosts(run eval.Run, names []string) (eval.Run, error) {
	if len(names) == 0 {
		return run, nil
	}
	have := run.Record().Hosts
	for _, name := range names {
		if _, ok := have[name]; !ok {
			there := "it was asked on one machine"
			if len(have) > 0 {
				there = "its workers were " + strings.Join(slices.Sorted(maps.Keys(have)), ", ")
			}
			return nil, eval.BadInput(fmt.Errorf("leave out host %q: nobody of this name answered for the run", name), there)
		}
	}
	return without{run, names}, nil
}

type without struct {
	eval.Run
	hosts []string
}

func (w without) Record() eval.RunRecord {
	rec := w.Run.Record()
	rec.Phases = slices.DeleteFunc(slices.Clone(rec.Phases), func(p eval.Phase) bool { return slices.Contains(w.hosts, p.Host) })
	rec.Audits = slices.DeleteFunc(slices.Clone(rec.Audits), func(r eval.Reply) bool { return slices.Contains(w.hosts, r.Host) })
	rec.Warnings = append(slices.Clone(rec.Warnings), "What these hosts answered is left out: "+strings.Join(w.hosts, ", ")+".")
	return rec
}

func (w without) Replies(ctx context.Context) iter.Seq2[eval.ScoredReply, error] {
	return w.shown(w.Run.Replies(ctx))
}

// RepliesOf yields those of one model.
func (w without) RepliesOf(ctx context.Context, model string) iter.Seq2[eval.ScoredReply, error] {
	return w.shown(eval.RepliesOf(ctx, w.Run, model))
}

func (w without) shown(stored iter.Seq2[eval.ScoredReply, error]) iter.Seq2[eval.ScoredReply, error] {
	return func(yield func(eval.ScoredReply, error) bool) {
		for r, err := range stored {
			if err == nil && slices.Contains(w.hosts, r.Reply.Host) {
				continue
			}
			if err == nil && r.Probe != nil && slices.Contains(w.hosts, r.Probe.Host) {
				r.Probe, r.Scores = nil, noLikelihood(r.Scores, "its probabilities are of a host that is left out")
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// noLikelihood are the scores without those that follow from a probe.
func noLikelihood(scores []metrics.Score, reason string) []metrics.Score {
	out := slices.Clone(scores)
	for i, s := range out {
		if slices.ContainsFunc(metrics.Likelihood(), func(m metrics.Metric) bool { return m.Name == s.Metric }) {
			out[i] = metrics.Score{Metric: s.Metric, Status: metrics.Unscored, Reason: reason}
		}
	}
	return out
}

// Sentence says how far the two hosts agree.
func (g Agreement) Sentence() string {
	text := fmt.Sprintf("%s: %s and %s were both asked %d of the questions, and %d texts are the same", g.Model, g.A, g.B, g.N, g.Same)
	if g.Scored > 0 {
		text += fmt.Sprintf("; of %d with log-probabilities, %d are the same", g.Scored, g.SameScored)
	}
	const most = 5
	for i, id := range g.Differ[:min(most, len(g.Differ))] {
		sep := ", "
		if i == 0 {
			sep = "; they differ on "
		}
		text += sep + id.Query
	}
	if len(g.Differ) > most {
		text += " and others"
	}
	return text + "."
}
