package eval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/metrics/likelihood"
	"github.com/disteval/disteval/queries"
)

// OpenProbes lists the queries on which m was not probed yet, or not compared
// with a reply of the reference that has come since: answered says whether
// there is one.
func (p Plan) OpenProbes(m Model, probed map[ProbeID]bool, answered func(JobID) (bool, error)) (open []queries.Query, err error) {
	asks := p.Probing(m)
	if !asks.Any() {
		return nil, nil
	}
	for _, q := range p.Queries.Queries {
		compared, there := probed[ProbeID{m.Name, q.ID}]
		if there && !compared && asks.FidelityTokens > 0 {
			now, err := answered(JobID{Model: p.Reference().Name, Query: q.ID})
			if err != nil {
				return nil, err
			}
			there = !now
		}
		if !there {
			open = append(open, q)
		}
	}
	return open, nil
}

// probe takes the probe phase: timed and metered apart from the answers, and in
// no figure of theirs. A model that stops answering here has answered its
// questions, so it is not given up: what is missing is stored as such and asked
// again when the run is resumed. The error is for what ends the run.
func (t *turn) probe(ctx, drain context.Context, open []queries.Query) error {
	if _, ok := t.worker.Generator.(Prober); !ok || len(open) == 0 {
		return nil
	}
	t.Observer.PhaseBegun(t.model, PhaseProbe, len(open), len(t.Plan.Queries.Queries))
	p := &probing{turn: t, open: open, start: t.Now()}
	if err := p.openReference(drain); err != nil {
		return err
	}
	defer p.closeReference(ctx)
	stop, cancel := context.WithCancel(drain)
	defer cancel()
	var workers sync.WaitGroup
	for range max(1, t.Plan.Parallel) {
		workers.Go(func() {
			if !p.work(ctx, stop) {
				cancel()
			}
		})
	}
	workers.Wait()
	if !p.end.IsZero() {
		p.checkpoint(ctx, emissions.ReadWhole(t.worker.Meter, p.start, p.end))
	}
	switch {
	case p.err != nil:
		return p.err
	case p.interrupted, drain.Err() != nil && p.next < len(open) && !p.unable, ctx.Err() != nil:
		return ErrInterrupted
	}
	return nil
}

// probing is the state that the workers of one probe phase share.
type probing struct {
	*turn
	reference Generator // nil where it is not needed here or could not be loaded
	start     time.Time

	mu          sync.Mutex
	open        []queries.Query
	next        int // of open
	inARow      int // failures
	end         time.Time
	lastStored  time.Time
	unable      bool // to say anything of any text
	interrupted bool
	err         error // of the store

	reading sync.Mutex
	replies map[int]referenceReply // by index in open
}

// repliesAhead is how many of the reference's replies are read together: a read
// waits for the commit of what was probed last.
const repliesAhead = 64

// referenceReply is what Plan.ReferenceReply says of one query.
type referenceReply struct {
	tokens  []Token
	missing string
}

// referenceReply gives what the model is compared on at one of open's queries.
func (p *probing) referenceReply(ctx context.Context, at int) (referenceReply, error) {
	p.reading.Lock()
	defer p.reading.Unlock()
	if r, there := p.replies[at]; there {
		delete(p.replies, at)
		return r, nil
	}
	if p.replies == nil {
		p.replies = make(map[int]referenceReply, repliesAhead)
	}
	for i, q := range p.open[at:min(at+repliesAhead, len(p.open))] {
		tokens, missing, err := p.Plan.ReferenceReply(ctx, p.Store, p.model, q)
		if err != nil {
			return referenceReply{}, err
		}
		p.replies[at+i] = referenceReply{tokens, missing}
	}
	defer delete(p.replies, at)
	return p.replies[at], nil
}

// openReference loads the model that this one is compared with, where that runs
// in this process and is not known by its replies alone.
func (p *probing) openReference(ctx context.Context) error {
	ref := p.Plan.Beside(p.model)
	if ref == nil {
		return nil
	}
	gen, err := p.Runner.reference, error(nil)
	if gen == nil {
		gen, err = p.Open(*ref)
	}
	if err == nil {
		err = gen.Load(ctx)
	}
	if ctx.Err() != nil {
		return ErrInterrupted
	}
	if err == nil {
		p.reference = gen
	}
	return nil // each probe says that its reference is missing
}

func (p *probing) closeReference(ctx context.Context) {
	if p.reference != nil {
		_ = p.reference.Unload(ctx) // memory of this process
	}
}

// take is the index of the next query in open; ok is false where none is left,
// or the model can say nothing of any, or has failed so often in a row that the
// rest is left for a resumption.
func (p *probing) take() (at int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == len(p.open) || p.unable || p.inARow >= MaxConsecutiveFailures {
		return 0, false
	}
	p.next++
	return p.next - 1, true
}

// work probes one query after another until none is left or stop is done. It
// returns false when nobody should go on.
func (p *probing) work(ctx, stop context.Context) bool {
	for stop.Err() == nil {
		at, ok := p.take()
		if !ok {
			return true
		}
		result, err := p.ask(ctx, stop, at)
		if err == nil {
			err = p.Store.PutProbe(ctx, result)
		}
		if !p.received(ctx, result, err) {
			return false
		}
	}
	return true
}

// ask probes one query, as often as a question may be asked.
func (p *probing) ask(ctx, drain context.Context, at int) (Probe, error) {
	q := p.open[at]
	r, forms, candidates := p.Plan.ProbeRequest(p.model, q)
	reply, err := p.referenceReply(ctx, at)
	if err != nil {
		return Probe{}, err
	}
	missing := reply.missing
	r.Reply = reply.tokens
	if r.Reference = p.reference; r.Reply != nil && r.Reference == nil && p.Plan.Beside(p.model) != nil {
		r.Reply, missing = nil, NotBeside(p.Plan.Reference().Name)
	}
	out, err := p.worker.Probe(ctx, drain, r, forms, candidates)
	out.ProbeID, out.Incomparable = ProbeID{p.model.Name, q.ID}, cmp.Or(out.Incomparable, missing)
	return out, err
}

// Fill takes over what was said of the texts, under the names of the forms.
func (p *Probe) Fill(r ProbeReply, forms, candidates []string) {
	p.Failure = nil
	if len(r.Forms) != len(forms) || len(r.Choices) != len(candidates) {
		p.Failure = &Failure{Kind: FailMalformed, Message: fmt.Sprintf("%d texts and %d candidates were looked at, not %d and %d",
			len(r.Forms), len(r.Choices), len(forms), len(candidates))}
		return
	}
	p.Answers, p.Choices = named(r.Forms, forms), named(r.Choices, candidates)
	p.Divergences, p.Incomparable, p.Unable = r.Divergences, r.Incomparable, r.Unable
	for _, f := range p.Choices {
		for i := range f.Steps {
			f.Steps[i].Top = nil // the choice does not hang on them, and they are the bulk
		}
	}
}

func named(forms []likelihood.Form, names []string) []likelihood.Form {
	for i, name := range names {
		forms[i].Text = name
	}
	return forms
}

// ReferenceReply gives the tokens of the reference's stored reply that m is
// compared on, or why there are none.
func (p Plan) ReferenceReply(ctx context.Context, s Store, m Model, q queries.Query) (tokens []Token, missing string, err error) {
	n := p.Probing(m).FidelityTokens
	if n == 0 {
		return nil, "", nil
	}
	ref := p.Reference()
	tokens, ok, err := s.Tokens(ctx, JobID{Model: ref.Name, Query: q.ID})
	switch {
	case err != nil:
		return nil, "", err
	case !ok:
		return nil, "", nil // compared once the reference has answered
	case len(tokens) == 0:
		return nil, fmt.Sprintf("the reply of %s is stored without its tokens", ref.Name), nil
	}
	return tokens[:min(n, len(tokens))], "", nil
}

// received notes one outcome. It returns false when nobody should go on.
func (p *probing) received(ctx context.Context, result Probe, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case errors.Is(err, ErrInterrupted):
		p.interrupted = true
		return false
	case err != nil:
		p.err = err
		return false
	}
	p.Observer.ProbeReceived(p.model, result)
	p.unable = p.unable || result.Unable != ""
	if p.inARow++; result.Failure == nil {
		p.inARow = 0
	}
	if result.End.After(p.end) {
		p.end = result.End
	}
	if p.lastStored.IsZero() || p.end.Sub(p.lastStored) >= checkpointEvery {
		p.lastStored = p.end
		p.checkpoint(ctx, p.worker.Meter.Read(p.start, p.end))
		if err := p.power.growing(ctx, p.start, p.end); err != nil && p.err == nil {
			p.err = err
		}
	}
	return p.err == nil
}

// checkpoint stores the phase as far as it has come. The caller holds mu or is
// alone.
func (p *probing) checkpoint(ctx context.Context, sofar emissions.Reading) {
	err := p.Store.PutPhase(ctx, Phase{Model: p.model.Name, Process: p.Process, Name: PhaseProbe,
		Start: p.start, End: p.end, Reading: sofar})
	if err != nil && p.err == nil {
		p.err = err
	}
}
