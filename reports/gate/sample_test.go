package gate_test

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/stat"
	"github.com/disteval/disteval/queries"
	"github.com/disteval/disteval/reports"
)

const queryCount = 200

var hash = strings.Repeat("ab12", 16)

// sampleHost is where the sample run was made.
var sampleHost = eval.Host{OS: "linux", Arch: "amd64", CPUModel: "Test CPU", CPUs: 4}

// run is a complete run of one model, student, with so many of its queries
// right, from the first on. change may spoil the replies before the figures
// are computed from them; a reply without a query ID is left out.
func run(right int, change func([]eval.ScoredReply)) reports.Report {
	replies := make([]eval.ScoredReply, queryCount)
	for i := range replies {
		replies[i] = reply(i, i < right)
	}
	if change != nil {
		change(replies)
	}
	duration, rate, wh := 80.0, 25.0, 12.0
	m := reports.Model{
		Model:     eval.Model{Name: "student", Digest: "sha256:aa"},
		DurationS: &duration, TokensPerS: &rate, FailKinds: map[eval.FailureKind]int{},
		Energy: reports.Energy{Quality: emissions.Measured, Method: "rapl", WhPer1000: &wh},
	}
	var em, cosine []float64
	kept := replies[:0:0]
	for _, r := range replies {
		if r.Reply.JobID.Query == "" {
			m.Missing++
			continue
		}
		kept = append(kept, r)
		if r.Reply.Failure != nil {
			m.Failures++
			m.FailKinds[r.Reply.Failure.Kind]++
			continue
		}
		m.Replies++
		for _, s := range r.Scores {
			switch {
			case s.Status != metrics.Scored:
			case s.Metric == metrics.EM:
				em = append(em, s.Value)
			case s.Metric == metrics.Cosine:
				cosine = append(cosine, s.Value)
			}
		}
	}
	for _, metric := range metrics.All() {
		out := reports.Metric{Name: metric.Name, Title: metric.Title}
		switch metric.Name {
		case metrics.EM:
			out.Summary = stat.MeanBinary(em)
		case metrics.Cosine:
			out.Summary = stat.MeanBootstrap(cosine, 1)
		}
		m.Metrics = append(m.Metrics, out)
	}
	r := reports.Report{
		RunID: "run-1", Status: reports.Complete, Host: sampleHost, Models: []reports.Model{m},
		Queries: reports.QuerySet{Name: "sample", N: queryCount, SHA256: hash},
		Scoring: &eval.ScoringRecord{ID: 1, Scoring: eval.Scoring{Embedding: eval.EmbeddingBuiltin}},
		Replies: listed(kept),
	}
	if m.Missing > 0 {
		r.Status = reports.Partial
	}
	return r
}

func listed(replies []eval.ScoredReply) func(context.Context) iter.Seq2[eval.ScoredReply, error] {
	return func(context.Context) iter.Seq2[eval.ScoredReply, error] {
		return func(yield func(eval.ScoredReply, error) bool) {
			for _, r := range replies {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

func reply(i int, right bool) eval.ScoredReply {
	id := fmt.Sprintf("q%03d", i)
	s := eval.ScoredReply{
		Reply: eval.Reply{JobID: eval.JobID{Model: "student", Query: id}, Text: " no idea"},
		Query: queries.Query{ID: id, Prompt: "The capital of France is", Keyword: "Paris", Reference: "Paris"},
	}
	if right {
		s.Reply.Text = " Paris"
	}
	score(&s)
	return s
}

// score gives a reply its scores.
func score(s *eval.ScoredReply) {
	result, err := scorer.Score(context.Background(), scoring.Config{}.Pair(s.Query, s.Reply.Text))
	if err != nil {
		panic(err) // only a server fails
	}
	s.Scores = result.Scores
}

// wordless makes a reply one that has no cosine.
func wordless(s *eval.ScoredReply) {
	s.Reply.Text = "?!"
	score(s)
}

// dump makes a reply one that holds every answer, and so is right by em.
func dump(s *eval.ScoredReply) {
	s.Reply.Text = " Rome, Paris, Madrid and all the others"
	score(s)
	s.Flags = []string{scoring.FlagAnswerDump}
}

// unsearchable makes a query one that has no em.
func unsearchable(s *eval.ScoredReply) {
	s.Query.Keyword = "!"
	score(s)
}

var scorer = scoring.New(scoring.Config{})

// turn makes a reply right or wrong.
func turn(r *eval.ScoredReply, right bool) {
	var i int
	fmt.Sscanf(r.Reply.JobID.Query, "q%d", &i)
	*r = reply(i, right)
}

// fail makes an outcome a failure, as the store reads it: all Unscored.
func fail(r *eval.ScoredReply) {
	r.Reply.Text, r.Reply.Failure = "", &eval.Failure{Kind: eval.FailTimeout, Message: "no answer in 60s"}
	unscore(r)
}

func unscore(r *eval.ScoredReply) {
	for i := range r.Scores {
		r.Scores[i] = metrics.Score{Metric: r.Scores[i].Metric, Status: metrics.Unscored}
	}
}
