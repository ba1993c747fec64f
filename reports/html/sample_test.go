package html

import (
	"context"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/stat"
	"github.com/disteval/disteval/queries"
	"github.com/disteval/disteval/reports"
)

var began = time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)

func ptr(x float64) *float64 { return &x }

var sampleModels = []string{"LLaMA-2-7B", "baby-llama-58m", "DistilLlama"}

// sampleReport is a made-up report of three models and n queries. One model
// is right often and slow, one fails now and then.
func sampleReport(n int) reports.Report {
	r := reports.Report{
		RunID: "20250304-050607-sample", Dir: "runs/sample", Created: began, ToolVersion: "1.0.0", PlanHash: "8f1c2ab5d09e47731f00aa12bb34cc56",
		Status: reports.Complete, Queries: reports.QuerySet{Name: "builtin", Version: "1", N: n, SHA256: "44aa"},
		Host:    eval.Host{OS: "linux", Arch: "amd64", CPUModel: "Example CPU", CPUs: 8, MemoryGB: 31.3, Hostname: "bench"},
		Scoring: &eval.ScoringRecord{ID: 1, Created: began.Add(time.Hour), Scoring: eval.Scoring{Embedding: "builtin"}},
		Factor:  &emissions.CarbonFactor{GPerKWh: 501.7, ISO3: "AUS", Country: "Australia", Year: 2024, Source: "Ember"},
		PUE:     1, Warnings: []string{"n = 8: the interval is wide"},
		Headlines: []string{"LLaMA-2-7B has the keyword in 71 % of its replies.", "baby-llama-58m keeps 4 % of LLaMA-2-7B's exact match at 1 % of its time.",
			"DistilLlama keeps 3 % of LLaMA-2-7B's exact match at 2 % of its time; the difference from baby-llama-58m is within noise."},
		Audit:     []string{"LLaMA-2-7B-HF: exactly a constant power times the duration, no measurement"},
		Published: []reports.PublishedRow{{Model: "DistilLlama", DurationS: 77.12, EmissionsKg: 7.79e-4, EM: 0.02, Cosine: 0.6623, Rouge: 0.0115, Ours: 2}},
		Reviews:   &reports.ReviewSummary{Reviewers: []string{"first", "second"}, N: 60, WithEM: []reports.ReviewAgreement{{A: "first", B: "em", Agreement: stat.Agreement{N: 30, Observed: 0.9, Kappa: 0.71, HasKappa: true, Lo: 0.45, Hi: 0.97, HasInterval: true}}}},
	}
	r.Plan = eval.Plan{Source: "models.yaml", Parallel: 1, Emissions: eval.Emissions{Method: "auto", PUE: 1}}
	for i := range sampleModels {
		m := sampleModel(i)
		r.Models = append(r.Models, m)
		r.Plan.Models = append(r.Plan.Models, m.Model)
	}
	for i, name := range sampleModels[1:] {
		for _, metric := range metrics.All() {
			c := reports.Comparison{Metric: metric.Name, Title: metric.Title, Model: name, Reference: sampleModels[0], PHolm: ptr(1e-9),
				Comparison: stat.Comparison{N: 200, Difference: -0.69, Lo: -0.75, Hi: -0.62, HasInterval: true, P: 1e-12, Wins: 1 + i, Losses: 140, Ties: 59 - i, Test: "mcnemar-exact"}}
			if metric.Name == metrics.CosineBest {
				c.PHolm = ptr(0.41)
			}
			if metric.Binary {
				c.Same = &reports.Concordant{Right: 3, Wrong: 56 - i}
			}
			r.Comparisons = append(r.Comparisons, c)
		}
	}
	for i, name := range sampleCategories {
		em := []*float64{ptr(0.9 - 0.1*float64(i)), ptr(0.05 * float64(i)), nil}
		if i > 0 {
			em[2] = ptr(0.02 * float64(i))
		}
		r.Categories = append(r.Categories, reports.Category{Name: name, N: 25, EM: em})
	}
	r.Power = []reports.Power{samplePower()}
	r.PowerNotes = []string{"Of session 3 no power was stored: it was killed at its beginning."}
	r.Judgement = &reports.Judgement{RunID: r.RunID, Baseline: "20250301-000000-before", Unjudged: []string{"baby-llama-58m"}, Checks: []reports.Check{
		{Measure: "status", Expected: "complete", Got: "complete", Outcome: reports.Pass},
		{Model: "DistilLlama", Measure: "em", Expected: "0.05 ± 0.01", Got: "0.02", Outcome: reports.Regression, Reason: "95 % interval [0.01, 0.05]"},
		{Model: "DistilLlama", Measure: "query", Query: "q001", Expected: "right", Got: "wrong", Outcome: reports.Regression, Reason: `"The capital" went on with <b>Lyon</b>`},
	}, Paired: []reports.Paired{{Model: "DistilLlama", Comparison: stat.Comparison{N: 200, P: 0.125}, NewlyWrong: make([]reports.Change, 4)}}}
	r.Replies = sampleReplies(n)
	return r
}

// samplePower is of two models' turns in two sessions, with a gap and an
// estimated zone.
func samplePower() reports.Power {
	p := reports.Power{Kept: 40, Sessions: []reports.PowerSession{{Begun: began}, {Begun: began.Add(time.Hour), Start: 30}},
		Parts: []reports.PowerPart{{Model: sampleModels[0], Name: reports.Idle, End: 4}, {Model: sampleModels[0], Name: eval.PhaseLoad, Start: 4, End: 8},
			{Model: sampleModels[0], Name: eval.PhaseAnswer, Start: 8, End: 30}, {Model: sampleModels[1], Name: eval.PhaseAnswer, Start: 30, End: 36}, {Model: sampleModels[1], Name: eval.PhaseProbe, Start: 36, End: 40}},
		Zones: []reports.PowerZone{{Name: "gpu-0", Counted: true}, {Name: "cpu", Counted: true, Estimated: true}, {Name: "package-0/core"}}}
	for i := range 40 {
		p.Ends = append(p.Ends, float64(i+1))
		for z := range p.Zones {
			w := ptr(20*float64(z+1) + 10*math.Sin(float64(i)) + 60*float64(i/8%2))
			if z == 0 && i >= 20 && i < 24 {
				w = nil
			}
			p.Zones[z].W = append(p.Zones[z].W, w)
		}
	}
	return p
}

var sampleCategories = []string{"geography", "history", "physics", "literature", "music & film", "biology"}

func sampleModel(i int) reports.Model {
	duration := []float64{18215.61, 57.2, 77.12}[i]
	m := reports.Model{
		Model: eval.Model{Name: sampleModels[i], Provider: "ollama", Model: []string{"llama2:7b-text", "baby", "distil"}[i], Role: eval.RoleStudent, Generation: eval.DefaultGeneration(),
			Digest: fmt.Sprintf("sha256:%064d", i), ProviderVersion: "0.17.4", Parameters: []string{"7B", "58M", "80M"}[i]},
		Replies: 200, DurationS: &duration, LoadS: ptr(1.5), Tokens: eval.Usage{PromptTokens: new(2000), CompletionTokens: new(12000)}, TokensPerS: ptr(12000 / duration),
		LatencyMS:       reports.Latency{P50: ptr(duration * 5), P95: ptr(duration * 7), P99: ptr(duration * 9)},
		SecondsPerReply: ptr(duration / 200), Lengths: reports.Lengths{MeanTokens: ptr(60), MeanChars: ptr(241.5), ByLength: 180, Empty: i},
		Floor: ptr(0.55), Negated: 2, Disagree: 3, FailKinds: map[eval.FailureKind]int{},
		Energy: reports.Energy{Quality: emissions.Measured, Method: "rapl", Wh: ptr(duration / 40), LowWh: ptr(duration / 40), HighWh: ptr(duration / 40), WhPer1000: ptr(duration / 8), MeanW: ptr(90)},
	}
	if i == 0 {
		m.Model.Role = eval.RoleReference
		m.Energy.WhPerCorrect, m.EmissionsKg, m.GPer1000 = ptr(3.1), ptr(0.184), ptr(920)
	}
	if i == 2 {
		m.Replies, m.Failures = 199, 1
		m.FailKinds[eval.FailTimeout] = 1
	}
	for at, metric := range metrics.All() {
		mean := []float64{0.715, 0.025, 0.02}[i]
		if at >= 6 {
			mean = []float64{0.7257, 0.6556, 0.6623}[i]
		}
		var chance *float64
		if metric.Name == metrics.EM {
			chance = ptr(0.004)
		}
		m.Metrics = append(m.Metrics, reports.Metric{Chance: chance, Name: metric.Name, Title: metric.Title, Summary: stat.Summary{N: m.Replies, Mean: mean, Lo: mean - 0.015, Hi: mean + 0.04, HasInterval: true, Method: "wilson"}})
	}
	m.Histograms.Cosine = &reports.Histogram{Low: 0.2, Width: 0.05}
	m.Histograms.LatencyMS = &reports.Histogram{Low: duration * 4, Width: duration / 4}
	for bin := range 16 {
		m.Histograms.Cosine.Counts = append(m.Histograms.Cosine.Counts, int(60*math.Exp(-math.Pow(float64(bin-8-i), 2)/9)))
		m.Histograms.LatencyMS.Counts = append(m.Histograms.LatencyMS.Counts, 40/(1+bin))
	}
	for p := range 40 {
		m.Energy.OverTime = append(m.Energy.OverTime, reports.EnergyPoint{Seconds: duration * float64(p) / 39, Wh: duration / 40 * float64(p) / 39})
	}
	return m
}

func sampleQuery(i int) queries.Query {
	return queries.Query{ID: fmt.Sprintf("q%03d", i), Prompt: fmt.Sprintf("The capital of country %d is", i), Keyword: "Paris",
		Aliases: []string{"City of Light"}, Reference: "Paris is the capital", Category: sampleCategories[i%len(sampleCategories)]}
}

func sampleReply(m, i int) eval.ScoredReply {
	q := sampleQuery(i)
	start := began.Add(time.Duration(m*1000+i) * time.Second)
	joules := emissions.Energy(1e6 * (i + 1))
	s := eval.ScoredReply{Query: q, Reply: eval.Reply{JobID: eval.JobID{Model: sampleModels[m], Query: q.ID}, DoneReason: "length",
		Usage:  eval.Usage{PromptTokens: new(9), CompletionTokens: new(64)},
		Timing: eval.Timing{Start: start, End: start.Add(time.Duration(200+i) * time.Millisecond), Attempts: 1}, Energy: &joules}}
	em := 0.0
	switch {
	case m == 2 && i == 3:
		s.Reply.Failure = &eval.Failure{Kind: eval.FailTimeout, Message: "no answer within 30s"}
	case (i*7+m*m*5)%(m*4+2) == 0:
		em = 1
		s.Reply.Text = "\nParis, the capital of the country and its largest city. It has been that for a thousand years, and the river flows through it. The people who live there are known for their bread, and there is a tower."
	default:
		s.Reply.Text = " a very good place to be, said the little girl. She was happy and played with her friends in the park all day. One day she saw a big dog, and the dog was not in Paris at all."
		s.Flags = []string{"negated"}
	}
	for at, metric := range metrics.All() {
		score := metrics.Score{Metric: metric.Name, Value: em, Status: metrics.Scored}
		if !metric.Binary {
			score.Value = 0.1 + 0.5*em + float64(i%100)/1000 + float64(at)/100
		}
		if s.Reply.Failure != nil || at == 8 && i%10 == 0 {
			score = metrics.Score{Metric: metric.Name, Status: metrics.Unscored, Reason: "no vector for any word"}
		}
		s.Scores = append(s.Scores, score)
	}
	return s
}

func sampleReplies(n int) func(context.Context) iter.Seq2[eval.ScoredReply, error] {
	return func(context.Context) iter.Seq2[eval.ScoredReply, error] {
		return func(yield func(eval.ScoredReply, error) bool) {
			for m := range sampleModels {
				for i := range n {
					if !yield(sampleReply(m, i), nil) {
						return
					}
				}
			}
		}
	}
}
