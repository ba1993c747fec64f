package gate_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/gate"
)

// expectations writes a file around what is expected of student.
func expectations(student string) string {
	return fmt.Sprintf("version: 1\nqueries: {sha256: %q}\nhost: %q\nmodels: {student: %s}\n", hash, sampleHost.Fingerprint(), student)
}

const em072 = "{metrics: {em: {expected: 0.72, tolerance: 0.02}}}"

func TestCheck(t *testing.T) {
	type edit = func(*reports.Report)
	tests := []struct {
		name    string
		file    string // of student
		right   int
		replies func([]eval.ScoredReply)
		report  edit
		any     bool
		want    reports.Outcome
		reason  string // stands in the check that did not pass
	}{
		{name: "as expected", file: em072, right: 144, want: reports.Pass},
		{name: "noise within the tolerance", file: em072, right: 142, want: reports.Pass},
		{name: "exactly at the tolerance", file: em072, right: 140, want: reports.Pass},
		{name: "one beyond the tolerance", file: em072, right: 139, want: reports.Regression, reason: "95 % interval"},
		{name: "better beyond the tolerance", file: em072, right: 180, want: reports.Pass, reason: "better"},
		{name: "relative, exactly", file: "{metrics: {em: {expected: 0.8, tolerance: 5%}}}", right: 152, want: reports.Pass},
		{name: "relative, beyond", file: "{metrics: {em: {expected: 0.8, tolerance: 5%}}}", right: 151, want: reports.Regression},
		{name: "zero tolerance", file: "{metrics: {em: {expected: 0.72, tolerance: 0}}}", right: 144, want: reports.Pass},
		{name: "zero tolerance, one wrong", file: "{metrics: {em: {expected: 0.72, tolerance: 0}}}", right: 143, want: reports.Regression},
		{name: "min, exactly", file: "{metrics: {em: {min: 0.7}}}", right: 140, want: reports.Pass},
		{name: "below min", file: "{metrics: {em: {min: 0.7}}}", right: 139, want: reports.Regression},
		{name: "max, exactly", file: "{metrics: {em: {max: 0.7}}}", right: 140, want: reports.Pass},
		{name: "above max", file: "{metrics: {em: {min: 0.1, max: 0.7}}}", right: 141, want: reports.Regression},
		{name: "two roundings from the limit", file: "{metrics: {em: {expected: 0.3, tolerance: 0.05}}}", right: 50, want: reports.Pass},

		{name: "partial run", file: em072, right: 144, report: func(r *reports.Report) { r.Status = reports.Partial }, want: reports.Inconclusive, reason: "--resume"},
		{name: "a reply removed", file: em072, right: 144, replies: func(rs []eval.ScoredReply) { rs[199].Reply.JobID.Query = "" }, want: reports.Inconclusive, reason: "--resume"},
		{name: "a reply removed, status and count silent", file: em072, right: 144, replies: func(rs []eval.ScoredReply) { rs[199].Reply.JobID.Query = "" },
			report: func(r *reports.Report) { r.Status, r.Models[0].Missing = reports.Complete, 0 }, want: reports.Inconclusive},
		{name: "a failure", file: em072, right: 144, replies: func(rs []eval.ScoredReply) { fail(&rs[199]) }, want: reports.Inconclusive, reason: "1 timeout"},
		{name: "a failure put up with", file: "{failures: {max: 1}, metrics: {em: {min: 0.7}}}", right: 144, replies: func(rs []eval.ScoredReply) { fail(&rs[199]) }, want: reports.Pass},
		{name: "a failure within the tolerance", file: "{failures: {expected: 2, tolerance: 50%}}", right: 144,
			replies: func(rs []eval.ScoredReply) { fail(&rs[199]); fail(&rs[198]); fail(&rs[197]) }, want: reports.Pass},
		{name: "a failure beyond the tolerance", file: "{failures: {expected: 2, tolerance: 50%}}", right: 144,
			replies: func(rs []eval.ScoredReply) { fail(&rs[199]); fail(&rs[198]); fail(&rs[197]); fail(&rs[196]) }, want: reports.Inconclusive},
		{name: "two failures, one put up with", file: "{failures: {max: 1}, metrics: {em: {min: 0.1}}}", right: 144,
			replies: func(rs []eval.ScoredReply) { fail(&rs[199]); fail(&rs[198]) }, want: reports.Inconclusive},
		{name: "all failed, all put up with", file: "{failures: {max: 199}, metrics: {em: {min: 0.001}}}", replies: func(rs []eval.ScoredReply) {
			for i := range rs {
				fail(&rs[i])
			}
		}, want: reports.Inconclusive},
		{name: "a failure outranks a regression", file: em072, right: 10, replies: func(rs []eval.ScoredReply) { fail(&rs[199]) }, want: reports.Inconclusive},
		{name: "given up", file: em072, right: 144, report: func(r *reports.Report) { r.Models[0].GaveUp = "5 in a row" }, want: reports.Inconclusive, reason: "5 in a row"},
		{name: "other queries", file: em072, right: 144, report: func(r *reports.Report) { r.Queries.SHA256 = strings.Repeat("0", 64) }, want: reports.Inconclusive, reason: "other queries"},
		{name: "no hash", file: em072, right: 144, report: func(r *reports.Report) { r.Queries.SHA256 = "" }, want: reports.Inconclusive},
		{name: "missing model", file: em072, right: 144, report: func(r *reports.Report) { r.Models[0].Model.Name = "Student" }, want: reports.Inconclusive, reason: "no model"},
		{name: "no model at all", file: em072, right: 144, report: func(r *reports.Report) { r.Models = nil }, want: reports.Inconclusive},
		{name: "other digest", file: "{digest: 'sha256:bb', metrics: {em: {min: 0.001}}}", right: 144, want: reports.Inconclusive, reason: "another model"},
		{name: "same digest, without its algorithm", file: "{digest: 'aa', metrics: {em: {min: 0.001}}}", right: 144, want: reports.Pass},
		{name: "no digest", file: "{digest: 'aa', metrics: {em: {min: 0.001}}}", right: 144, report: func(r *reports.Report) { r.Models[0].Model.Digest = "" }, want: reports.Inconclusive},
		{name: "same digest", file: "{digest: 'sha256:aa', metrics: {em: {min: 0.001}}}", right: 144, want: reports.Pass},
		{name: "metric never scored", file: "{metrics: {rouge_l_f1: {min: 0.001}}}", right: 144, want: reports.Inconclusive, reason: "nothing was scored"},
		{name: "metric absent", file: em072, right: 144, report: func(r *reports.Report) { r.Models[0].Metrics = nil }, want: reports.Inconclusive},
		{name: "one em unscored", file: "{metrics: {em: {min: 0.001}}}", right: 144, replies: func(rs []eval.ScoredReply) { unscore(&rs[0]) }, want: reports.Inconclusive, reason: "199 of 200"},
		{name: "one cosine unscored", file: "{metrics: {cosine: {min: 0}}}", right: 144, replies: func(rs []eval.ScoredReply) { wordless(&rs[0]) }, want: reports.Pass},
		{name: "one cosine not stored", file: "{metrics: {cosine: {min: 0}}}", right: 144, replies: func(rs []eval.ScoredReply) { unscore(&rs[0]) }, want: reports.Inconclusive, reason: "(q000)"},
		{name: "one em that cannot be", file: "{metrics: {em: {min: 0.001}}}", right: 144, replies: func(rs []eval.ScoredReply) { unsearchable(&rs[0]) }, want: reports.Inconclusive, reason: "199 of 200"},
		{name: "one em that cannot be, as stated", file: "{metrics: {em: {min: 0.001, n: 199}}}", right: 144, replies: func(rs []eval.ScoredReply) { unsearchable(&rs[0]) }, want: reports.Pass},
		{name: "cosine of a few", file: "{metrics: {cosine: {min: 0}}}", right: 144, replies: func(rs []eval.ScoredReply) {
			for i := range rs[:21] {
				wordless(&rs[i])
			}
		}, want: reports.Inconclusive, reason: "180 are needed"},
		{name: "cosine of fewer than stated", file: "{metrics: {cosine: {min: 0, n: 200}}}", right: 144, replies: func(rs []eval.ScoredReply) { wordless(&rs[0]) }, want: reports.Inconclusive, reason: "200 are needed"},

		{name: "duration", file: "{duration_s: {expected: 80, tolerance: 10%}}", right: 1, want: reports.Pass},
		{name: "faster than can be", file: "{duration_s: {min: 81}}", right: 1, want: reports.Regression},
		{name: "slower", file: "{duration_s: {max: 79}}", right: 1, want: reports.Regression},
		{name: "faster", file: "{duration_s: {expected: 100, tolerance: 1}}", right: 1, want: reports.Pass, reason: "better"},
		{name: "fewer tokens", file: "{tokens_per_s: {min: 26}}", right: 1, want: reports.Regression},
		{name: "no count of tokens", file: "{tokens_per_s: {min: 26}}", right: 1, report: func(r *reports.Report) { r.Models[0].TokensPerS = nil }, want: reports.Inconclusive, reason: "no such figure"},
		{name: "no duration", file: "{duration_s: {max: 100}}", right: 1, report: func(r *reports.Report) { r.Models[0].DurationS = nil }, want: reports.Inconclusive},
		{name: "other host", file: "{duration_s: {max: 100}}", right: 1, report: func(r *reports.Report) { r.Host.CPUs = 8 }, want: reports.Inconclusive, reason: "another machine"},
		{name: "begun on this host only", file: "{duration_s: {max: 100}}", right: 1, report: func(r *reports.Report) { r.MovedTo = []string{"linux/arm64 X x8"} }, want: reports.Inconclusive, reason: "linux/arm64 X x8"},
		{name: "begun on this host only, any will do", file: "{duration_s: {max: 100}}", right: 1, any: true, report: func(r *reports.Report) { r.MovedTo = []string{"x"} }, want: reports.Pass},
		{name: "other host, any will do", file: "{duration_s: {max: 100}}", right: 1, any: true, report: func(r *reports.Report) { r.Host.CPUs = 8 }, want: reports.Pass},
		{name: "other host matters not to quality", file: em072, right: 144, report: func(r *reports.Report) { r.Host.CPUs = 8 }, want: reports.Pass},
		{name: "energy", file: "{wh_per_1000_queries: {expected: 12, tolerance: 5%, quality: measured, method: rapl}}", right: 1, want: reports.Pass},
		{name: "more energy", file: "{wh_per_1000_queries: {expected: 11, tolerance: 5%}}", right: 1, want: reports.Regression},
		{name: "energy of another quality", file: "{wh_per_1000_queries: {max: 20}}", right: 1,
			report: func(r *reports.Report) { r.Models[0].Energy.Quality = emissions.Estimated }, want: reports.Inconclusive, reason: "estimated"},
		{name: "energy of another method", file: "{wh_per_1000_queries: {max: 20, method: nvml}}", right: 1, want: reports.Inconclusive, reason: "rapl"},
		{name: "no energy", file: "{wh_per_1000_queries: {max: 20}}", right: 1, report: func(r *reports.Report) {
			r.Models[0].Energy = reports.Energy{Quality: emissions.Unavailable, Reason: "no counter"}
		}, want: reports.Inconclusive, reason: "no counter"},
		{name: "the measured part", file: "{measured_wh_per_1000_queries: {expected: 7, tolerance: 5%}}", right: 1, report: mixed, want: reports.Pass},
		{name: "more of the measured part", file: "{measured_wh_per_1000_queries: {max: 6}}", right: 1, report: mixed, want: reports.Regression},
		{name: "nothing measured", file: "{measured_wh_per_1000_queries: {max: 6}}", right: 1, report: func(r *reports.Report) {
			none := 0.0
			r.Models[0].Energy = reports.Energy{Quality: emissions.Estimated, MeasuredShare: &none, MeasuredWhPer1000: &none}
		}, want: reports.Inconclusive, reason: "none of the energy is measured"},
		{name: "energy of another host", file: "{wh_per_1000_queries: {max: 20}}", right: 1, report: func(r *reports.Report) { r.Host.CPUModel = "x" }, want: reports.Inconclusive},

		{name: "a reply without scores", file: "{metrics: {cosine: {min: 0}}}", right: 144, replies: func(rs []eval.ScoredReply) { unscore(&rs[3]) }, want: reports.Inconclusive, reason: "(q003)"},
		{name: "many replies without scores", file: "{metrics: {cosine: {min: 0}}}", right: 144, replies: func(rs []eval.ScoredReply) {
			for i := range rs[:10] {
				unscore(&rs[i])
			}
		}, want: reports.Inconclusive, reason: "q004 and others"},

		{name: "named queries right", file: "{queries_right: [q000, q001]}", right: 2, want: reports.Pass},
		{name: "named query wrong", file: "{queries_right: [q000, q001]}", right: 1, want: reports.Regression, reason: "no idea"},
		{name: "named query failed", file: "{failures: {max: 1}, queries_right: [q000]}", right: 1, replies: func(rs []eval.ScoredReply) { fail(&rs[0]) }, want: reports.Inconclusive, reason: "no answer in 60s"},
		{name: "named query unscored", file: "{queries_right: [q000]}", right: 1, replies: func(rs []eval.ScoredReply) { unscore(&rs[0]) }, want: reports.Inconclusive},
		{name: "named query unknown", file: "{queries_right: [q999]}", right: 1, want: reports.Inconclusive, reason: "no outcome"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e, err := gate.Parse([]byte(expectations(test.file)), "expected.yaml")
			if err != nil {
				t.Fatal(err)
			}
			r := run(test.right, test.replies)
			if test.report != nil {
				test.report(&r)
			}
			v, err := gate.Check(context.Background(), r, e, gate.Options{AnyHost: test.any})
			if err != nil {
				t.Fatal(err)
			}
			if v.Status() != test.want {
				t.Errorf("%s, want %s: %+v", v.Status(), test.want, v.Checks)
			}
			if test.reason != "" && !strings.Contains(reasons(v), test.reason) {
				t.Errorf("no reason says %q: %s", test.reason, reasons(v))
			}
		})
	}
}

func reasons(v reports.Judgement) string {
	var b strings.Builder
	for _, c := range v.Checks {
		if c.Outcome != reports.Pass {
			fmt.Fprintf(&b, "%s %s %s: %s\n", c.Outcome, c.Measure, c.Query, c.Reason)
		}
	}
	return b.String()
}

func TestCheckBindsScoringAndHost(t *testing.T) {
	r := run(144, nil)
	for _, test := range []struct {
		head string
		want reports.Outcome
	}{
		{"scoring: {include_prompt: false, embedding: builtin}", reports.Pass},
		{"scoring: {include_prompt: true, embedding: builtin}", reports.Inconclusive},
		{"scoring: {include_prompt: false, embedding: nomic-embed-text}", reports.Inconclusive},
	} {
		e := parsed(t, test.head+"\n"+expectations(em072))
		if v := checked(t, r, e, gate.Options{}); v.Status() != test.want {
			t.Errorf("%s: %s, want %s", test.head, v.Status(), test.want)
		}
	}
	noHost := fmt.Sprintf("version: 1\nqueries: {n: 200, sha256: %q}\nmodels: {student: {duration_s: {max: 100}}}", hash)
	if v := checked(t, r, parsed(t, noHost), gate.Options{}); v.Status() != reports.Inconclusive {
		t.Errorf("a duration without a host came to %s, want inconclusive", v.Status())
	}
	if v := checked(t, r, parsed(t, noHost), gate.Options{AnyHost: true}); v.Status() != reports.Pass {
		t.Errorf("a duration of any host came to %s, want a pass", v.Status())
	}
	if v := checked(t, r, parsed(t, strings.Replace(noHost, "n: 200", "n: 199", 1)), gate.Options{AnyHost: true}); v.Status() != reports.Inconclusive {
		t.Errorf("another number of queries came to %s, want inconclusive", v.Status())
	}
}

func TestPaired(t *testing.T) {
	lenient := expectations("{metrics: {em: {expected: 0.72, tolerance: 0.1}}}")
	lose := func(n int) func([]eval.ScoredReply) {
		return func(rs []eval.ScoredReply) {
			for i := range rs[:n] {
				turn(&rs[i], false)
			}
		}
	}
	tests := []struct {
		name         string
		file         string
		now          reports.Report
		base         func(*reports.Report)
		want         reports.Outcome
		wrong, right int
		reason       string
	}{
		{name: "the same", file: lenient, now: run(144, nil)},
		{name: "noise", file: lenient, now: run(144, lose(4)), wrong: 4},
		{name: "as many gained as lost", file: lenient, now: run(154, lose(10)), wrong: 10, right: 10},
		{name: "a real loss within the tolerance", file: lenient, now: run(144, lose(6)), want: reports.Regression, wrong: 6, reason: "not noise"},
		{name: "a real gain", file: lenient, now: run(150, nil), right: 6, reason: "gain"},
		{name: "noise beyond the tolerance", file: expectations(em072), now: run(144, lose(5)), want: reports.Regression, wrong: 5, reason: "cannot tell it from noise"},
		{name: "a real loss beyond the tolerance", file: expectations(em072), now: run(144, lose(9)), want: reports.Regression, wrong: 9, reason: "it is real"},
		{name: "baseline of other queries", file: lenient, now: run(144, nil), base: func(r *reports.Report) { r.Queries.SHA256 = "x" }, want: reports.Inconclusive, reason: "other queries"},
		{name: "baseline of other scoring", file: lenient, now: run(144, nil), base: func(r *reports.Report) { r.Scoring = nil }, want: reports.Inconclusive},
		{name: "baseline not scored whole", file: lenient, now: run(144, nil), base: func(r *reports.Report) {
			*r = run(144, func(rs []eval.ScoredReply) { unscore(&rs[0]) })
		}, want: reports.Inconclusive, reason: "baseline's scores"},
		{name: "baseline without the model", file: lenient, now: run(144, nil), base: func(r *reports.Report) { r.Replies = listed(nil) }, want: reports.Inconclusive, reason: "only 0 of 200"},
		{name: "baseline with a failure", file: lenient, now: run(144, nil), base: func(r *reports.Report) {
			*r = run(144, func(rs []eval.ScoredReply) { fail(&rs[0]) })
		}, want: reports.Inconclusive, reason: "only 199 of 200"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			base := run(144, nil)
			base.RunID = "run-0"
			if test.base != nil {
				test.base(&base)
			}
			v := checked(t, test.now, parsed(t, test.file), gate.Options{Baseline: &base})
			if want := cmp.Or(test.want, reports.Pass); v.Status() != want {
				t.Errorf("%s, want %s: %s", v.Status(), want, reasons(v))
			}
			if !strings.Contains(reasons(v), test.reason) {
				t.Errorf("no reason says %q: %s", test.reason, reasons(v))
			}
			if test.want == reports.Inconclusive {
				return
			}
			p := v.Paired[0]
			if len(p.NewlyWrong) != test.wrong || len(p.NewlyRight) != test.right {
				t.Errorf("%d newly wrong, %d newly right, want %d and %d", len(p.NewlyWrong), len(p.NewlyRight), test.wrong, test.right)
			}
			if test.wrong > 0 && (p.NewlyWrong[0].Query != "q000" || p.NewlyWrong[0].Reply != " no idea") {
				t.Errorf("newly wrong begins with %+v", p.NewlyWrong[0])
			}
			if p.Detectable == nil || p.N != queryCount {
				t.Errorf("no power at n = %d", p.N)
			}
		})
	}
}

func TestReadErrorIsNoJudgement(t *testing.T) {
	r := run(144, nil)
	broken := errors.New("disk gone")
	r.Replies = func(context.Context) iter.Seq2[eval.ScoredReply, error] {
		return func(yield func(eval.ScoredReply, error) bool) { yield(eval.ScoredReply{}, broken) }
	}
	_, err := gate.Check(context.Background(), r, parsed(t, expectations("{queries_right: [q000]}")), gate.Options{})
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

func TestUnjudgedModelsAreNamed(t *testing.T) {
	r := run(144, nil)
	r.Models = append(r.Models, reports.Model{Model: eval.Model{Name: "other"}})
	v := checked(t, r, parsed(t, expectations(em072)), gate.Options{})
	if len(v.Unjudged) != 1 || v.Unjudged[0] != "other" {
		t.Errorf("unjudged: %v", v.Unjudged)
	}
}

func TestStatusRanks(t *testing.T) {
	check := func(outcomes ...reports.Outcome) (v reports.Judgement) {
		for _, o := range outcomes {
			v.Checks = append(v.Checks, reports.Check{Outcome: o})
		}
		return v
	}
	for _, test := range []struct {
		v    reports.Judgement
		want reports.Outcome
	}{
		{check(), reports.Inconclusive},
		{check(reports.Pass), reports.Pass},
		{check(reports.Pass, reports.Improved), reports.Pass},
		{check(reports.Pass, reports.Regression), reports.Regression},
		{check(reports.Regression, reports.Inconclusive), reports.Inconclusive},
		{check(reports.Inconclusive, reports.Regression), reports.Inconclusive},
		{check("unknown"), reports.Inconclusive},
	} {
		if got := test.v.Status(); got != test.want {
			t.Errorf("%+v: %s, want %s", test.v.Checks, got, test.want)
		}
	}
}

func parsed(t *testing.T, file string) gate.Expected {
	t.Helper()
	e, err := gate.Parse([]byte(file), "expected.yaml")
	if err != nil {
		t.Fatalf("%v in\n%s", err, file)
	}
	return e
}

func checked(t *testing.T, r reports.Report, e gate.Expected, o gate.Options) reports.Judgement {
	t.Helper()
	v, err := gate.Check(context.Background(), r, e, o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// mixed makes the energy one of which 70 % is measured, 7 Wh per 1,000 queries.
func mixed(r *reports.Report) {
	share, measured := 0.7, 7.0
	e := &r.Models[0].Energy
	e.Quality, e.MeasuredShare, e.MeasuredWhPer1000 = emissions.Partial, &share, &measured
}
