package gate_test

import (
	"context"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/gate"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	path := "testdata/" + file
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func blessed(t *testing.T, r reports.Report, existing string, o gate.BlessOptions) (out, diff string) {
	t.Helper()
	o.Name = "expected.yaml"
	b, diff, err := gate.Bless(context.Background(), r, []byte(existing), o)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), diff
}

func TestBlessCreates(t *testing.T) {
	out, _ := blessed(t, run(144, nil), "", gate.BlessOptions{})
	golden(t, "created.yaml", []byte(out))
	for _, absent := range []string{"digest", "host", "duration_s", "wh_per", "queries_right", "rouge"} {
		if strings.Contains(out, absent) {
			t.Errorf("%s was not asked for:\n%s", absent, out)
		}
	}
	out, _ = blessed(t, run(3, nil), "", gate.BlessOptions{Digests: true, Time: true, Energy: true, Right: true})
	golden(t, "created-all.yaml", []byte(out))
	if v := checked(t, run(3, nil), parsed(t, out), gate.Options{}); v.Status() != reports.Pass {
		t.Errorf("the blessed run came to %s: %s", v.Status(), reasons(v))
	}
}

// A metric that few replies have is blessed with their number, so that the run
// passes and one with fewer does not.
func TestBlessStatesHowFewAreScored(t *testing.T) {
	few := func(n int) reports.Report {
		return run(144, func(rs []eval.ScoredReply) {
			for i := n; i < len(rs); i++ {
				wordless(&rs[i])
			}
		})
	}
	out, _ := blessed(t, few(120), "", gate.BlessOptions{})
	if !strings.Contains(out, "n: 120") || strings.Contains(out, "n: 200}") {
		t.Errorf("it states no number of replies:\n%s", out)
	}
	for scored, want := range map[int]reports.Outcome{120: reports.Pass, 121: reports.Pass, 119: reports.Inconclusive} {
		if v := checked(t, few(scored), parsed(t, out), gate.Options{}); v.Status() != want {
			t.Errorf("%d scored replies came to %s, want %s: %s", scored, v.Status(), want, reasons(v))
		}
	}
	again, diff := blessed(t, few(110), out, gate.BlessOptions{})
	if v := checked(t, few(110), parsed(t, again), gate.Options{}); v.Status() != reports.Inconclusive {
		t.Errorf("a renewed file came to %s, want inconclusive since n is a limit that people agreed on: %s", v.Status(), diff)
	}
}

// TestBlessWritesWhatCanFail blesses models near the floor and wants a dead one
// to fail what was blessed.
func TestBlessWritesWhatCanFail(t *testing.T) {
	for right, tolerance := range map[int]string{1: "0.0025", 3: "0.0075", 4: "0.01", 6: "0.015", 8: "0.02", 9: "0.02", 144: "0.02"} {
		out, _ := blessed(t, run(right, nil), "", gate.BlessOptions{})
		if !strings.Contains(out, ", tolerance: "+tolerance+"}") {
			t.Errorf("%d right: no tolerance of %s in\n%s", right, tolerance, out)
		}
		for now, want := range map[int]reports.Outcome{0: reports.Regression, right: reports.Pass} {
			if v := checked(t, run(now, nil), parsed(t, out), gate.Options{}); v.Status() != want {
				t.Errorf("blessed with %d right, %d right came to %s, want %s: %s", right, now, v.Status(), want, reasons(v))
			}
		}
	}
}

// TestBlessWithNoCheckAtTheWorst wants a comment where a check could not fail,
// and the check in its place once it could.
func TestBlessWithNoCheckAtTheWorst(t *testing.T) {
	out, _ := blessed(t, run(0, nil), "", gate.BlessOptions{})
	golden(t, "created-worst.yaml", []byte(out))
	if again, diff := blessed(t, run(0, nil), out, gate.BlessOptions{}); again != out {
		t.Errorf("blessing again changed the file:\n%s", diff)
	}
	better, _ := blessed(t, run(4, nil), out, gate.BlessOptions{})
	if !strings.Contains(better, "em: {expected: 0.02, tolerance: 0.01}") || strings.Contains(better, "# em") {
		t.Errorf("em can fail now:\n%s", better)
	}
	if v := checked(t, run(0, nil), parsed(t, better), gate.Options{}); v.Status() != reports.Regression {
		t.Errorf("none right came to %s: %s", v.Status(), reasons(v))
	}
}

// TestBlessMendsWhatCannotFail takes files of before such checks were refused.
func TestBlessMendsWhatCannotFail(t *testing.T) {
	existing := strings.Replace(expectations("{}"), "{student: {}}", `
  # the one we ship
  student:
    metrics:
      em: {expected: 0.02, tolerance: 0.02} # agreed on
    tokens_per_s: {expected: 20, tolerance: 100%}
`, 1)
	out, _ := blessed(t, run(4, nil), existing, gate.BlessOptions{})
	for _, want := range []string{"# the one we ship", "em: {expected: 0.02, tolerance: 0.01} # agreed on", "tokens_per_s: {expected: 25, tolerance: 12}"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	out, _ = blessed(t, run(0, nil), existing, gate.BlessOptions{})
	for _, want := range []string{"# the one we ship", "# em: 0 is the worst that it can be", "tokens_per_s: {"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	flow := expectations("{metrics: {em: {expected: 0.5, tolerance: 0.1}, cosine: {min: -0.9}}}")
	out, _ = blessed(t, run(0, nil), flow, gate.BlessOptions{})
	if !strings.Contains(out, "# em: 0 is the worst") || len(parsed(t, out).Models[0].Bounds) != 1 {
		t.Errorf("a file in flow style became\n%s", out)
	}
}

func TestBlessStatesWhereEMCannotBe(t *testing.T) {
	r := run(144, func(rs []eval.ScoredReply) { unsearchable(&rs[199]) })
	out, _ := blessed(t, r, "", gate.BlessOptions{})
	if v := checked(t, r, parsed(t, out), gate.Options{}); v.Status() != reports.Pass || !strings.Contains(out, "n: 199") {
		t.Errorf("the blessed run came to %s: %s\n%s", v.Status(), reasons(v), out)
	}
}

func TestBlessRenewsExpectedFailures(t *testing.T) {
	out, _ := blessed(t, run(144, nil), expectations("{failures: {expected: 3, tolerance: 1}}"), gate.BlessOptions{})
	if !strings.Contains(out, "failures: {expected: 0, tolerance: 1}") {
		t.Errorf("the run has no failure:\n%s", out)
	}
}

func TestBlessKeepsWhatPeopleWrote(t *testing.T) {
	existing := `# agreed on by the team
version: 1
queries: {sha256: "` + strings.Repeat("0", 64) + `"} # the old set
host: "old machine"
models:
  # the one we ship
  student:
    digest: sha256:old
    metrics:
      em: {expected: 0.5, tolerance: 3%} # three per cent is what users notice
      cosine: {min: 0.1} # a limit, not a measurement
    duration_s: {expected: 1, tolerance: 50%}
    wh_per_1000_queries: {expected: 1, tolerance: 0.5, quality: estimated}
    queries_right:
      - q000 # embarrassing if wrong
      - q150
`
	r := run(144, nil)
	out, diff := blessed(t, r, existing, gate.BlessOptions{})
	golden(t, "kept.yaml", []byte(out))
	if !strings.Contains(diff, "-      em: {expected: 0.5, tolerance: 3%}") || !strings.Contains(diff, "+      em: {expected: 0.72, tolerance: 3%}") {
		t.Errorf("the diff does not show em:\n%s", diff)
	}
	if v := checked(t, r, parsed(t, out), gate.Options{}); v.Status() != reports.Pass {
		t.Errorf("the blessed run came to %s: %s", v.Status(), reasons(v))
	}
	again, diff := blessed(t, r, out, gate.BlessOptions{})
	if again != out || diff != "" {
		t.Errorf("blessing again changed the file:\n%s", diff)
	}
}

func TestBlessAddsModels(t *testing.T) {
	r := run(144, nil)
	other := r.Models[0]
	other.Model.Name = "yes: # a name that needs quotes"
	r.Models = append(r.Models, other)
	out, _ := blessed(t, r, expectations(em072), gate.BlessOptions{})
	if e := parsed(t, out); len(e.Models) != 2 || e.Models[1].Name != other.Model.Name {
		t.Errorf("models %+v in\n%s", e.Models, out)
	}
}

func TestBlessRefuses(t *testing.T) {
	tests := []struct {
		name, existing, want string
		change               func(*reports.Report)
		o                    gate.BlessOptions
	}{
		{name: "partial", want: "partial", change: func(r *reports.Report) { r.Status = reports.Partial }},
		{name: "failure", want: "1 failed", change: func(r *reports.Report) { *r = run(144, func(rs []eval.ScoredReply) { fail(&rs[0]) }) }},
		{name: "missing", want: "1 missing", change: func(r *reports.Report) { r.Models[0].Missing = 1 }},
		{name: "given up", want: "bless a run without failures", change: func(r *reports.Report) { r.Models[0].GaveUp = "x" }},
		{name: "not scored", want: "not scored", change: func(r *reports.Report) { r.Scoring = nil }},
		{name: "a reply not scored", want: "(q000)", change: func(r *reports.Report) { *r = run(144, func(rs []eval.ScoredReply) { unscore(&rs[0]) }) }},
		{name: "no model", want: "no model", change: func(r *reports.Report) { r.Models = nil }},
		{name: "model gone", existing: strings.Replace(expectations(em072), "student", "teacher", 1), want: "no model teacher"},
		{name: "broken file", existing: "version: 2", want: "expected.yaml:1: version"},
		{name: "no energy", want: "the energy is unavailable; no counter", o: gate.BlessOptions{Energy: true}, change: func(r *reports.Report) {
			r.Models[0].Energy = reports.Energy{Quality: emissions.Unavailable, Reason: "no counter"}
		}},
		{name: "no digest", want: "no digest", o: gate.BlessOptions{Digests: true}, change: func(r *reports.Report) { r.Models[0].Model.Digest = "" }},
		{name: "metric gone", existing: expectations("{metrics: {rouge_l_f1: {min: 0.001}}}"), want: "no rouge_l_f1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := run(144, nil)
			if test.change != nil {
				test.change(&r)
			}
			test.o.Name = "expected.yaml"
			out, _, err := gate.Bless(context.Background(), r, []byte(test.existing), test.o)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v does not say %q; wrote\n%s", err, test.want, out)
			}
		})
	}
}
