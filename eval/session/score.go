package session

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/vector"
)

// ScoringConfig turns a plan's scoring into the scorer's configuration.
func (s *Session) ScoringConfig(ctx context.Context, by eval.Scoring) (scoring.Config, error) {
	cfg := scoring.Config{IncludePrompt: by.IncludePrompt}
	if by.Embedding == eval.EmbeddingBuiltin || by.Embedding == "" {
		return cfg, nil
	}
	server, ok := s.Providers[cmp.Or(by.Provider, eval.ProviderOllama)].(eval.EmbeddingProvider)
	if !ok {
		return cfg, eval.BadInput(fmt.Errorf("no provider makes the vectors of %s", by.Embedding), "choose the embedding builtin")
	}
	var err error
	cfg.Embedder, err = server.Embedder(ctx, by)
	return cfg, err
}

// checkEmbedding scores a text that no reply is, so that an embedding model
// which is missing ends a run before it starts and not when it is to be scored.
func (s *Session) checkEmbedding(ctx context.Context, by eval.Scoring) error {
	cfg, err := s.ScoringConfig(ctx, by)
	if err != nil || cfg.Embedder == nil {
		return err
	}
	const probe = "is the embedding model there"
	if _, err := scoring.New(cfg).Score(ctx, metrics.Pair{Reference: probe, Text: probe}); err != nil {
		return fmt.Errorf("check the embedding model %s: %w", by.Embedding, err)
	}
	return nil
}

// Rescore scores again what run shows of the stored one, by another scoring
// than its own.
func (s *Session) Rescore(ctx context.Context, store *runstore.Store, run eval.Run, by eval.Scoring) error {
	if err := s.checkEmbedding(ctx, by); err != nil {
		return err
	}
	pass, err := s.beginScoring(ctx, store, by, false)
	if err != nil {
		return err
	}
	return pass.run(ctx, run)
}

// Score scores every stored reply as the plan says; what Ask has scored is not
// scored again.
func (s *Session) Score(ctx context.Context, store *runstore.Store) error {
	if done := s.scored; done != nil && done.store == store {
		s.scored = nil // what is stored from here on it has not seen
		return done.end(ctx)
	}
	pass, err := s.beginScoring(ctx, store, store.Record().Plan.Scoring, true)
	if err != nil {
		return err
	}
	return pass.run(ctx, store)
}

// scoringPass scores a run's replies, some hundreds at a time.
type scoringPass struct {
	store   *runstore.Store
	id      int
	cfg     scoring.Config
	scorers []*scoring.Scorer // each takes its share of a batch
	floors  map[string]*vector.Floor
	batch   []eval.ScoredReply
}

// beginScoring begins a scoring of store: its own, or one more.
func (s *Session) beginScoring(ctx context.Context, store *runstore.Store, by eval.Scoring, own bool) (*scoringPass, error) {
	cfg, err := s.ScoringConfig(ctx, by)
	if err != nil {
		return nil, err
	}
	cfg.Answers = scoring.NewAnswers(store.Record().Plan.Queries)
	id, err := store.BeginScoring(ctx, own, by, s.Now())
	if err != nil {
		return nil, err
	}
	return &scoringPass{store: store, id: id, cfg: cfg, scorers: []*scoring.Scorer{scoring.New(cfg)}, floors: make(map[string]*vector.Floor)}, nil
}

// widen has n scorers share each batch. An embedding server is asked by
// one scorer all the same: it makes batches of its own.
func (p *scoringPass) widen(n int) {
	for p.cfg.Embedder == nil && len(p.scorers) < n {
		p.scorers = append(p.scorers, scoring.New(p.cfg))
	}
}

// run goes once over all replies of a run, on all processors.
func (p *scoringPass) run(ctx context.Context, replies eval.Run) error {
	p.widen(runtime.GOMAXPROCS(0))
	for r, err := range replies.Replies(ctx) {
		if err == nil {
			err = p.add(ctx, r)
		}
		if err != nil {
			return fmt.Errorf("score %s: %w", p.store.Record().Dir, err)
		}
	}
	return p.end(ctx)
}

// end makes the scoring the record's.
func (p *scoringPass) end(ctx context.Context) error {
	if err := p.flush(ctx); err != nil {
		return fmt.Errorf("score %s: %w", p.store.Record().Dir, err)
	}
	floors := make(map[string]float64)
	for model, f := range p.floors {
		if v, ok := f.Value(); ok {
			floors[model] = v
		}
	}
	if err := p.store.EndScoring(ctx, p.id, floors); err != nil {
		return err
	}
	return p.store.Refresh(ctx)
}

const scoringBatch = 256

// add takes the next reply. A failure has no scores.
func (p *scoringPass) add(ctx context.Context, r eval.ScoredReply) error {
	if r.Reply.Failure != nil {
		return nil
	}
	if p.batch = append(p.batch, r); len(p.batch) < scoringBatch {
		return nil
	}
	return p.flush(ctx)
}

// flush scores the batch and stores the scores in its order, so that floors are
// the same to the last digit however many scorers there are.
func (p *scoringPass) flush(ctx context.Context) error {
	results, err := p.scoreBatch(ctx)
	if err != nil {
		return err
	}
	for i, result := range results {
		id := p.batch[i].Reply.JobID
		floor := p.floors[id.Model]
		if floor == nil {
			floor = new(vector.Floor)
			p.floors[id.Model] = floor
		}
		result.AddTo(floor)
		if err := p.store.PutScores(ctx, p.id, id, result.Scores, result.Flags); err != nil {
			return err
		}
	}
	p.batch = p.batch[:0]
	return nil
}

func (p *scoringPass) scoreBatch(ctx context.Context) ([]scoring.Result, error) {
	pairs := make([]metrics.Pair, len(p.batch))
	for i, r := range p.batch {
		pairs[i] = p.cfg.PairOf(r.Query, r.Reply)
	}
	results := make([]scoring.Result, len(pairs))
	share := (len(pairs) + len(p.scorers) - 1) / len(p.scorers)
	group, ctx := errgroup.WithContext(ctx)
	for i, scorer := range p.scorers {
		from, to := min(i*share, len(pairs)), min((i+1)*share, len(pairs))
		group.Go(func() error {
			return scorer.ScoreAll(ctx, pairs[from:to], func(k int, r scoring.Result) error {
				r.TextVector, r.ReferenceVector = slices.Clone(r.TextVector), slices.Clone(r.ReferenceVector)
				results[from+k] = r
				return nil
			})
		})
	}
	return results, group.Wait()
}
