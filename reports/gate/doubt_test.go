package gate_test

import (
	"math"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/gate"
)

// spoil makes some of the last replies failures, and some before those dumps.
func spoil(failed, dumped int) func([]eval.ScoredReply) {
	return func(rs []eval.ScoredReply) {
		for i := range failed {
			fail(&rs[len(rs)-1-i])
		}
		for i := range dumped {
			dump(&rs[len(rs)-1-failed-i])
		}
	}
}

// TestDoubt wants neither failures nor dumps of answers to turn a verdict on em.
func TestDoubt(t *testing.T) {
	const allow = "{failures: {max: 60}, metrics: {em: {min: 0.7}}}"
	for _, test := range []struct {
		name           string
		file           string
		right          int
		failed, dumped int
		want           reports.Outcome
		reason         string
	}{
		{"failures that change nothing", allow, 160, 10, 0, reports.Pass, ""},
		{"failures that raise em above its limit", allow, 120, 40, 0, reports.Inconclusive, "between 0.6 and 0.8"},
		{"failures that could raise em above its limit", allow, 135, 10, 0, reports.Inconclusive, "10 failed"},
		{"so low that failures cannot help", allow, 110, 10, 0, reports.Regression, "95 % interval"},
		{"better only without the failures", "{failures: {max: 60}, metrics: {em: {expected: 0.7, tolerance: 0.02}}}", 139, 10, 0, reports.Pass, ""},
		{"every reply a dump", em072, 0, 0, 200, reports.Inconclusive, "200 of 200 replies hold the answers of many other queries"},
		{"many dumps, better than expected", em072, 150, 0, 40, reports.Inconclusive, "answer_dump"},
		{"few dumps that decide", em072, 135, 0, 8, reports.Inconclusive, "8 hold the answers"},
		{"few dumps that do not decide", em072, 144, 0, 2, reports.Pass, ""},
		{"dumps, and still too few right", em072, 60, 0, 40, reports.Regression, ""},
		{"dumps do not touch other metrics", "{metrics: {cosine: {min: -0.9}}}", 60, 0, 40, reports.Pass, ""},
		{"a query right by a dump", "{queries_right: [q199]}", 60, 0, 1, reports.Inconclusive, "too"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := checked(t, run(test.right, spoil(test.failed, test.dumped)), parsed(t, expectations(test.file)), gate.Options{})
			if v.Status() != test.want || !strings.Contains(reasons(v), test.reason) || v.Count(reports.Improved) > 0 {
				t.Errorf("%s, want %s and %q: %s", v.Status(), test.want, test.reason, reasons(v))
			}
		})
	}
}

// TestPairedDumps: a gain by dumps of answers is none, whoever has them.
func TestPairedDumps(t *testing.T) {
	file := parsed(t, expectations("{metrics: {em: {min: 0.1}}}"))
	dumping, plain := run(144, spoil(0, 40)), run(144, nil)
	for _, test := range []struct{ now, base reports.Report }{{dumping, plain}, {plain, dumping}} {
		v := checked(t, test.now, file, gate.Options{Baseline: &test.base})
		if v.Status() != reports.Inconclusive || !strings.Contains(reasons(v), "em paired") {
			t.Errorf("%s: %s", v.Status(), reasons(v))
		}
	}
}

// TestBlessRefusesDumps: a run of dumps is none to hold others to.
func TestBlessRefusesDumps(t *testing.T) {
	_, _, err := gate.Bless(t.Context(), run(144, spoil(0, 40)), nil, gate.BlessOptions{Name: "e"})
	if err == nil || !strings.Contains(err.Error(), "40 of 200 replies hold the answers") {
		t.Errorf("error %v", err)
	}
}

// TestPairedIsCorrectedForTheModels takes a loss that is none among four models.
func TestPairedIsCorrectedForTheModels(t *testing.T) {
	lose := func(rs []eval.ScoredReply) {
		for i := range 6 {
			turn(&rs[i], false) // p 0.03125
		}
	}
	several := func(losing bool, models int) reports.Report {
		all := run(144, nil)
		var replies []eval.ScoredReply
		all.Models = nil
		for i := range models {
			one := run(144, nil)
			if losing && i == 0 {
				one = run(144, lose)
			}
			name := []string{"student", "b", "c", "d"}[i]
			one.Models[0].Model.Name = name
			all.Models = append(all.Models, one.Models[0])
			for s := range one.Replies(t.Context()) {
				s.Reply.Model = name
				replies = append(replies, s)
			}
		}
		all.Replies = listed(replies)
		return all
	}
	limit := "{metrics: {em: {min: 0.1}}}"
	for models, want := range map[int]reports.Outcome{1: reports.Regression, 2: reports.Pass, 4: reports.Pass} {
		file := expectations(limit)
		for _, name := range []string{"b", "c", "d"}[:models-1] {
			file = strings.Replace(file, "models: {", "models: {"+name+": "+limit+", ", 1)
		}
		base := several(false, models)
		v := checked(t, several(true, models), parsed(t, file), gate.Options{Baseline: &base})
		if v.Status() != want {
			t.Errorf("%d models: %s, want %s: %s", models, v.Status(), want, reasons(v))
		}
		for _, p := range v.Paired {
			if p.Model == "student" && (math.Abs(p.P-0.03125) > 1e-9 || *p.PHolm != p.P*float64(models)) {
				t.Errorf("%d models: p %v, corrected %v", models, p.P, *p.PHolm)
			}
		}
	}
}
