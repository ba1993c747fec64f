package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/vector"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/files"
	"github.com/disteval/disteval/reports/gate"
)

// scoreAndReport scores a run as its plan says, judges it where something is
// expected of it, and writes its files.
func (a *app) scoreAndReport(ctx context.Context, ps *providers, store *runstore.Store, expected *gate.Expected) (reports.Report, error) {
	if err := a.score(ctx, ps, store, store.Record().Plan.Scoring, true); err != nil {
		return reports.Report{}, err
	}
	r, err := files.Build(ctx, store, nil)
	if err != nil {
		return r, err
	}
	if expected != nil {
		judgement, err := gate.Check(ctx, r, *expected, gate.Options{})
		if err != nil {
			return r, err
		}
		r.Judgement = &judgement
	}
	_, err = files.Write(ctx, r, slices.Concat(files.Default(), files.Judged()), r.Dir)
	return r, err
}

// score scores every stored reply anew and makes that the run's scoring.
func (a *app) score(ctx context.Context, ps *providers, store *runstore.Store, s eval.Scoring, own bool) error {
	cfg, err := ps.scoringConfig(s)
	if err != nil {
		return err
	}
	id, err := store.BeginScoring(ctx, own, s, a.now())
	if err != nil {
		return err
	}
	pass := scoringPass{store: store, id: id, cfg: cfg, scorer: scoring.New(cfg), floors: make(map[string]*vector.Floor)}
	if err := pass.run(ctx); err != nil {
		return fmt.Errorf("score %s: %w", store.Record().Dir, err)
	}
	floors := make(map[string]float64)
	for model, f := range pass.floors {
		if v, ok := f.Value(); ok {
			floors[model] = v
		}
	}
	if err := store.EndScoring(ctx, id, floors); err != nil {
		return err
	}
	return store.Refresh(ctx)
}

// scoringPass goes once over a run's replies, some hundreds at a time.
type scoringPass struct {
	store  *runstore.Store
	id     int
	cfg    scoring.Config
	scorer *scoring.Scorer
	floors map[string]*vector.Floor
	batch  []eval.ScoredReply
}

const scoringBatch = 256

func (p *scoringPass) run(ctx context.Context) error {
	for r, err := range p.store.Replies(ctx) {
		if err != nil {
			return err
		}
		if r.Reply.Failure != nil {
			continue
		}
		if p.batch = append(p.batch, r); len(p.batch) == scoringBatch {
			if err := p.flush(ctx); err != nil {
				return err
			}
		}
	}
	return p.flush(ctx)
}

func (p *scoringPass) flush(ctx context.Context) error {
	pairs := make([]metrics.Pair, len(p.batch))
	for i, r := range p.batch {
		pairs[i] = p.cfg.Pair(r.Query, r.Reply.Text)
	}
	err := p.scorer.ScoreAll(ctx, pairs, func(i int, result scoring.Result) error {
		id := p.batch[i].Reply.JobID
		floor := p.floors[id.Model]
		if floor == nil {
			floor = new(vector.Floor)
			p.floors[id.Model] = floor
		}
		result.AddTo(floor)
		return p.store.PutScores(ctx, p.id, id, result.Scores, result.Flags)
	})
	p.batch = p.batch[:0]
	return err
}

// report builds the report and writes it in the formats wanted to dir.
func (a *app) report(ctx context.Context, run eval.Run, country *string, formats []files.Format, dir string) (reports.Report, error) {
	r, err := files.Build(ctx, run, country)
	if err != nil {
		return r, err
	}
	_, err = files.Write(ctx, r, formats, dir)
	return r, err
}
