package eval

import (
	"context"
	"slices"
	"time"

	"github.com/disteval/disteval/emissions"
)

// TurnPower is what the zones of a model's machine drew in one process of the
// run: from the end of the turn before, or the start of metering, to the end of
// the model's own.
type TurnPower struct {
	Model   string
	Process int // as of a Phase
	emissions.Power
}

// A turn's power is stored again when it has grown by an eighth, and not more
// often than every ten seconds, so that a killed process leaves most of it.
const (
	powerGrowth = 8
	powerEvery  = 10 * time.Second
)

// powerLog keeps the power of one turn. It is for one goroutine at a time.
type powerLog struct {
	*Runner
	model  string
	meter  emissions.Meter
	cuts   []time.Time // where phases begin and end; the first is the log's start
	stored time.Time   // up to when
}

// phase notes one phase that has ended.
func (p *powerLog) phase(start, end time.Time) { p.cuts = append(p.cuts, start, end) }

// growing stores the power while a phase goes on, where it is time.
func (p *powerLog) growing(ctx context.Context, start, end time.Time) error {
	if from := p.cuts[0]; end.Sub(later(from, p.stored)) < max(powerEvery, end.Sub(from)/powerGrowth) {
		return nil
	}
	return p.store(ctx, start, end)
}

// store stores the power up to the last of some more cuts.
func (p *powerLog) store(ctx context.Context, more ...time.Time) error {
	cuts := slices.Concat(p.cuts, more)
	p.stored = cuts[len(cuts)-1]
	return p.Store.PutPower(ctx, TurnPower{Model: p.model, Process: p.Process, Power: emissions.ReadPower(p.meter, cuts)})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
