package reports

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
)

// scoredRun is a run of n queries in which the models have the first so many
// right; every other metric of a reply's text follows em.
func scoredRun(n, teacher, student int) memoryRun {
	run := madeRun(n, "teacher", "student")
	for i := range run.replies {
		right := teacher
		if i >= n {
			right = student
		}
		value := 0.0
		if i%n < right {
			value = 1
		}
		for j := range run.replies[i].Scores {
			s := &run.replies[i].Scores[j]
			if s.Value = value; !slices.ContainsFunc(metrics.Text(), func(m metrics.Metric) bool { return m.Name == s.Metric }) {
				s.Status = metrics.Unscored
			}
		}
	}
	return run
}

func TestHeadlines(t *testing.T) {
	for _, test := range []struct {
		name        string
		run         memoryRun
		has, hasNot []string
		change      func(*memoryRun)
	}{
		{name: "a ratio has its interval", run: scoredRun(200, 100, 40),
			has: []string{"student keeps 40 % of teacher's exact match (95 % interval 31.5 % to 50.9 %)"}, hasNot: []string{"noise"}},
		{name: "both at the floor", run: scoredRun(200, 4, 1),
			has:    []string{"student has the keyword in 0.5 % of its 200 replies", "both are at the floor of exact match (teacher has 2 %)"},
			hasNot: []string{"keeps", "25 %"}},
		{name: "nothing against nothing", run: scoredRun(200, 0, 0), has: []string{"both are at the floor"}, hasNot: []string{"keeps", "in none"}},
		{name: "no query differs", run: scoredRun(100, 50, 50), has: []string{"student is right on the same 50 of 100 queries as teacher, and on no other"}, hasNot: []string{"noise", "interval"}},
		{name: "none against many", run: scoredRun(200, 100, 0), has: []string{"student has the keyword in 0 % of its 200 replies"}, hasNot: []string{"keeps", "floor"}},
		{name: "uncorrected and corrected", run: scoredRun(20, 20, 14), // six lost, none won
			has: []string{"within noise (p = 0.031, with Holm's correction = 0.094)", "what does differ is ROUGE-L precision by -0.3000 (corrected p = 0.0"}},
		{name: "per answered query", run: scoredRun(100, 50, 30),
			change: func(r *memoryRun) { r.replies = r.replies[:110] }, // the student: ten answers in as many seconds as the teacher's hundred
			has:    []string{"at 10.0 times the time and 10.0 times the energy of teacher per answered query (10 and 100 answered)"}},
		{name: "longer replies", run: scoredRun(100, 50, 30),
			change: func(r *memoryRun) {
				r.record.Phases[1].End = r.record.Phases[1].Start.Add(40 * time.Second)
				for i := 100; i < 200; i++ {
					r.replies[i].Reply.Usage.CompletionTokens = new(40)
					r.replies[i].Reply.DoneReason = "length"
				}
			},
			has: []string{"at 4.00 times the time", "because its replies are longer (40.0 tokens on average against 10.0, 100 % against 0 % cut by length), not its tokens slower"}},
		{name: "shorter replies", run: scoredRun(100, 50, 30),
			change: func(r *memoryRun) {
				r.record.Phases[1].End = r.record.Phases[1].Start.Add(2 * time.Second)
				for i := 100; i < 200; i++ {
					r.replies[i].Reply.Usage.CompletionTokens = new(2)
				}
			},
			has: []string{"at 20 % of the time", "because its replies are shorter"}},
		{name: "slower tokens", run: scoredRun(100, 50, 30),
			change: func(r *memoryRun) { r.record.Phases[1].End = r.record.Phases[1].Start.Add(40 * time.Second) },
			has:    []string{"at 4.00 times the time"}, hasNot: []string{"because"}},
		{name: "no counts, no reason", run: scoredRun(100, 50, 30),
			change: func(r *memoryRun) {
				r.record.Phases[1].End = r.record.Phases[1].Start.Add(40 * time.Second)
				r.replies[100].Reply.Usage = eval.Usage{}
			},
			has: []string{"at 4.00 times the time"}, hasNot: []string{"because", "tokens"}},
		{name: "other energy", run: scoredRun(100, 50, 30),
			change: func(r *memoryRun) { r.record.Phases[1].Reading.Quality = emissions.Estimated },
			has:    []string{"at 100 % of the time of teacher"}, hasNot: []string{"energy"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.change != nil {
				test.change(&test.run)
			}
			got := build(t, test.run, Options{}).Headlines[1]
			for _, want := range test.has {
				if !strings.Contains(got, want) {
					t.Errorf("%q is missing in\n%s", want, got)
				}
			}
			for _, not := range test.hasNot {
				if strings.Contains(got, not) {
					t.Errorf("%q stands in\n%s", not, got)
				}
			}
		})
	}
}

// TestChanceLevel: every reply holds the keywords of q000 and q001, so of the
// other queries' keywords it holds 2 of 9, or 1 of 9 where one is its own.
func TestChanceLevel(t *testing.T) {
	run := madeRun(10, "teacher", "student")
	for i := range run.replies {
		q := &run.replies[i].Query
		q.Keyword = "key" + q.ID
		run.replies[i].Reply.Text = " keyq000 and keyq001"
	}
	for i := range run.record.Plan.Queries.Queries {
		q := &run.record.Plan.Queries.Queries[i]
		q.Keyword = "key" + q.ID
	}
	r := build(t, run, Options{})
	got := r.Models[0].Metric(metrics.EM).Chance
	if want := (8*2.0/9 + 2*1.0/9) / 10; got == nil || *got < want-1e-12 || *got > want+1e-12 {
		t.Errorf("chance level %v, want %v", got, want)
	}
	if r.Models[0].Metric(metrics.Cosine).Chance != nil {
		t.Error("cosine has a chance level beside its floor")
	}
	if !strings.Contains(r.Headlines[0], ", by chance 20 %)") {
		t.Errorf("the headline does not tell of it: %s", r.Headlines[0])
	}
	one := madeRun(1, "teacher", "student")
	if got := build(t, one, Options{}).Models[0].Metric(metrics.EM).Chance; got != nil {
		t.Errorf("of one query alone the chance level is %v", *got)
	}
}

func TestContradictionsAreExplained(t *testing.T) {
	run := madeRun(10, "teacher", "student")
	for i := range run.replies { // ROUGE-L as in a run of the built-in models: three of ten far below
		for j := range run.replies[i].Scores {
			s := &run.replies[i].Scores[j]
			if s.Metric != metrics.RougeLPrecision {
				continue
			}
			s.Value = 0.2
			if i >= 10 && i%10 < 3 {
				s.Value = 0.2 - []float64{0.1, 0.2, 0.3}[i%10]*0.6
			}
		}
	}
	r := build(t, run, Options{})
	told := fmt.Sprint(r.Warnings)
	for _, c := range r.Comparisons {
		contradicts := c.N > 0 && c.HasInterval && (c.Lo > 0 || c.Hi < 0) != (c.P < 0.05)
		if named := strings.Contains(told, "student "+c.Title+", ") || strings.Contains(told, "student "+c.Title+"."); contradicts && !named {
			t.Errorf("%s: [%g, %g] with p %g is not explained in %s", c.Title, c.Lo, c.Hi, c.P, told)
		}
		if contradicts && !strings.Contains(strings.Join(c.Warnings, " "), "go by p") {
			t.Errorf("%s has no warning of its own: %q", c.Title, c.Warnings)
		}
	}
	if !r.comparison(metrics.RougeLPrecision, "student").contradicts() {
		t.Errorf("the test tests nothing: %+v", r.comparison(metrics.RougeLPrecision, "student"))
	}
}
