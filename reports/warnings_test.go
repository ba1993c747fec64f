package reports

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
)

func TestWarnings(t *testing.T) {
	settings := func(change func(m *eval.Model)) func(*memoryRun) {
		return func(r *memoryRun) { change(&r.record.Plan.Models[1]) }
	}
	texts := func(change func(i int, r *eval.Reply)) func(*memoryRun) {
		return func(r *memoryRun) {
			for i := range r.replies {
				r.replies[i].Reply.Text = " words"
				if i >= 10 {
					change(i-10, &r.replies[i].Reply)
				}
			}
		}
	}
	for _, test := range []struct {
		name   string
		change func(*memoryRun)
		want   []string // of one warning
	}{
		{"all empty", texts(func(_ int, r *eval.Reply) { r.Text = " \n" }), []string{"student: 10 of 10 replies are empty", "raw: false"}},
		{"empty and cut", texts(func(_ int, r *eval.Reply) { r.Text, r.DoneReason = "", "length" }), []string{"student: 10 of 10 replies are empty", "num_predict", "think: false"}},
		{"mostly empty", texts(func(i int, r *eval.Reply) {
			if i < 6 {
				r.Text = ""
			}
		}), []string{"student: 6 of 10 replies are empty", "raw"}},
		{"reasoning kept apart", texts(func(i int, r *eval.Reply) { r.Text, r.Reasoning, r.DoneReason = "", "so", "length" }),
			[]string{"student: in 10 of 10 replies reasoning used up the tokens", "num_predict", "think: false"}},
		{"reasoning in tags", texts(func(i int, r *eval.Reply) {
			if i == 0 {
				r.Text = "<think>well"
			}
		}), []string{"student: in 1 of 10 replies reasoning"}},
		{"num_predict", settings(func(m *eval.Model) { m.Generation.NumPredict = 16 }), []string{"different num_predict: 0 (teacher), 16 (student)"}},
		{"temperature", settings(func(m *eval.Model) { m.Generation.Temperature = 0.8 }), []string{"different temperature"}},
		{"raw", settings(func(m *eval.Model) { m.Generation.Raw = true }), []string{"different raw: false (teacher), true (student)"}},
		{"one digest", func(r *memoryRun) {
			r.record.Plan.Models[0].Digest, r.record.Plan.Models[1].Digest = "sha256:abc", "sha256:abc"
		}, []string{"teacher and student are one model under 2 names (digest abc)"}},
		{"leaks", func(r *memoryRun) {
			for i := range r.record.Plan.Queries.Queries {
				q := &r.record.Plan.Queries.Queries[i]
				q.Prompt, q.Keyword = "Paris is the capital of", "France"
				if i < 7 {
					q.Aliases = []string{"paris"}
				}
			}
		}, []string{"7 of 10 queries (q000, q001, q002, q003, q004 and 2 more)", "disteval queries check"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			run := madeRun(10, "teacher", "student")
			texts(func(int, *eval.Reply) {})(&run)
			before := build(t, run, Options{}).Warnings
			test.change(&run)
			got := build(t, run, Options{}).Warnings
			is := func(w string) bool {
				return !slices.ContainsFunc(test.want, func(want string) bool { return !strings.Contains(w, want) })
			}
			if !slices.ContainsFunc(got, is) || slices.ContainsFunc(before, is) {
				t.Errorf("no new warning says %q: %q", test.want, got)
			}
		})
	}
}

// TestQueriesThatThereAre: the power of the tests is that of the queries which
// both models have answered.
func TestQueriesThatThereAre(t *testing.T) {
	run := madeRun(200, "teacher", "student")
	run.replies = run.replies[:250]
	got := build(t, run, Options{}).Warnings
	if !slices.ContainsFunc(got, func(w string) bool { return strings.HasPrefix(w, "With 50 queries") }) {
		t.Errorf("warnings %q", got)
	}
}

// TestKilled: a phase that was stored before a kill is not shorter than its
// replies.
func TestKilled(t *testing.T) {
	run := madeRun(10, "teacher", "student")
	start := run.record.Phases[0].Start
	run.record.Phases[0].End = start.Add(650 * time.Millisecond)
	for i := range 10 { // one after the other, 104 ms each
		run.replies[i].Reply.Timing.Start = start.Add(time.Duration(i) * 104 * time.Millisecond)
		run.replies[i].Reply.Timing.End = run.replies[i].Reply.Timing.Start.Add(104 * time.Millisecond)
	}
	r := build(t, run, Options{})
	m := r.Models[0]
	if m.DurationS == nil || *m.DurationS < 1.04-1e-9 || *m.DurationS > 1.04+1e-9 || m.UnmeteredS < 0.39-1e-9 || m.UnmeteredS > 0.39+1e-9 {
		t.Errorf("duration %v, of which %v were not metered; want 1.04 and 0.39", *m.DurationS, m.UnmeteredS)
	}
	if m.Energy.Quality != emissions.Partial || *m.Energy.MeanW < 553 || *m.Energy.MeanW > 554 { // 360 J in 0.65 s
		t.Errorf("energy %s, %v W", m.Energy.Quality, *m.Energy.MeanW)
	}
	if !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, "teacher: energy is partial: 0.39 of its 1.04 s") }) {
		t.Errorf("nothing says what is not known: %q", r.Warnings)
	}
	if m := r.Models[1]; m.UnmeteredS != 0 || m.Energy.Quality != emissions.Measured {
		t.Errorf("the student, whose phase is whole: %v, %s", m.UnmeteredS, m.Energy.Quality)
	}
	run.record.Phases = run.record.Phases[1:] // killed before the phase was stored at all
	if m := build(t, run, Options{}).Models[0]; m.DurationS == nil || *m.DurationS < 1.04-1e-9 {
		t.Errorf("without a phase: duration %v", m.DurationS)
	}
}

// TestLengths: mean length, share cut and empty replies.
func TestLengths(t *testing.T) {
	run := madeRun(4, "teacher", "student")
	for i, text := range []string{" élan", "", " ab", " <think>x</think>"} {
		run.replies[i].Reply.Text = text
		run.replies[i].Reply.DoneReason = []string{"length", "stop"}[i%2]
	}
	l := build(t, run, Options{}).Models[0].Lengths
	if *l.MeanTokens != 10 || *l.MeanChars != (5+0+3+17)/4.0 || l.ByLength != 2 || l.Empty != 2 || l.EmptyCut != 0 || l.ReasoningOnly != 1 {
		t.Errorf("%+v, %v tokens, %v characters", l, *l.MeanTokens, *l.MeanChars)
	}
}
