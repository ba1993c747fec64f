package builtin

import (
	"testing"
	"time"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/queries"
)

// BenchmarkProbe answers and probes the query set as a run of the miniatures
// does, one query after the other. probe/answer is the time of all probes over
// that of all answers: the target is 1 for the three together.
func BenchmarkProbe(b *testing.B) {
	set := queries.Builtin()
	gen := func(b *testing.B, name string) *Generator {
		m, err := Describe(eval.Model{Name: name, Model: name, Generation: eval.Generation{Raw: true, RepeatPenalty: 1, NumPredict: 64, NumCtx: 128}})
		if err != nil {
			b.Fatal(err)
		}
		g, err := NewGenerator(m)
		if err == nil {
			err = g.Load(b.Context())
		}
		if err != nil {
			b.Fatal(err)
		}
		return g
	}
	for _, name := range Names() {
		b.Run(name, func(b *testing.B) {
			var answers, probes time.Duration
			teacher, g := gen(b, "mini-teacher"), gen(b, name)
			for _, q := range set.Queries { // what comes before the probes of a run
				if _, err := teacher.Generate(b.Context(), eval.Request{Prompt: q.Prompt, Logprobs: 1, Tokens: 16}); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				for _, q := range set.Queries {
					start := time.Now()
					if _, err := g.Generate(b.Context(), eval.Request{Prompt: q.Prompt}); err != nil {
						b.Fatal(err)
					}
					answers += time.Since(start)
					ask := eval.ProbeRequest{Prompt: q.Prompt, Texts: spaced(q.Answers()), Choices: spaced(set.Candidates(q))}
					if name != "mini-teacher" {
						ask.Reference, ask.Reply = teacher, teacher.written.replies[q.Prompt].Tokens
					}
					start = time.Now()
					if _, err := g.Probe(b.Context(), ask); err != nil {
						b.Fatal(err)
					}
					probes += time.Since(start)
				}
			}
			b.ReportMetric(probes.Seconds()/answers.Seconds(), "probe/answer")
			b.ReportMetric(float64(answers.Microseconds())/float64(b.N*len(set.Queries)), "µs/answer")
			b.ReportMetric(float64(probes.Microseconds())/float64(b.N*len(set.Queries)), "µs/probe")
		})
	}
}
