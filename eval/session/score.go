package session

import (
	"cmp"
	"context"
	"fmt"

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
	return s.score(ctx, store, run, by, false)
}

// Score scores every stored reply as the plan says.
func (s *Session) Score(ctx context.Context, store *runstore.Store) error {
	return s.score(ctx, store, store, store.Record().Plan.Scoring, true)
}

func (s *Session) score(ctx context.Context, store *runstore.Store, run eval.Run, by eval.Scoring, own bool) error {
	cfg, err := s.ScoringConfig(ctx, by)
	if err != nil {
		return err
	}
	cfg.Answers = scoring.NewAnswers(store.Record().Plan.Queries)
	id, err := store.BeginScoring(ctx, own, by, s.Now())
	if err != nil {
		return err
	}
	pass := scoringPass{store: store, replies: run, id: id, cfg: cfg, scorer: scoring.New(cfg), floors: make(map[string]*vector.Floor)}
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
	store   *runstore.Store
	replies eval.Run // those to score
	id      int
	cfg     scoring.Config
	scorer  *scoring.Scorer
	floors  map[string]*vector.Floor
	batch   []eval.ScoredReply
}

const scoringBatch = 256

func (p *scoringPass) run(ctx context.Context) error {
	for r, err := range p.replies.Replies(ctx) {
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
		pairs[i] = p.cfg.PairOf(r.Query, r.Reply)
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
