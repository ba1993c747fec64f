package gate_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/gate"
)

func TestParse(t *testing.T) {
	e := parsed(t, `# what we ship
version: 1
queries: {name: builtin, n: 200, sha256: "`+strings.ToUpper(hash)+`"}
host: "linux/amd64 Test CPU x4"
models:
  student:
    digest: sha256:aa
    failures: {max: 2}
    metrics:
      em: {expected: 0.72, tolerance: 5%}
      cosine: {min: -0.5, max: 1, n: 10}
    wh_per_1000_queries: {expected: 12, tolerance: 1e-1, quality: estimated, method: estimate}
    queries_right: [q1, 2]
`)
	m := e.Models[0]
	if e.Queries.SHA256 != hash || e.Queries.N != 200 || m.Name != "student" || m.MaxFailures != 2 || m.Digest != "sha256:aa" {
		t.Errorf("read %+v", e)
	}
	if b := m.Bounds[0]; b.Measure != "em" || *b.Expected != 0.72 || b.Tolerance != 0.05 || !b.Relative || b.String() != "0.72 ± 5 %" {
		t.Errorf("em: %+v, %s", b, b)
	}
	if b := m.Bounds[1]; *b.Min != -0.5 || *b.Max != 1 || b.MinScored != 10 {
		t.Errorf("cosine: %+v", b)
	}
	if b := m.Bounds[2]; b.Quality != "estimated" || b.Method != "estimate" || b.Relative {
		t.Errorf("energy: %+v", b)
	}
	if strings.Join(m.QueriesRight, " ") != "q1 2" {
		t.Errorf("queries: %v", m.QueriesRight)
	}
}

func TestParseRefuses(t *testing.T) {
	top := "version: 1\nqueries: {sha256: \"" + hash + "\"}\n"
	student := func(s string) string { return top + "models:\n  student:\n    " + s }
	em := func(s string) string { return student("metrics: {em: " + s + "}") }
	tests := []struct{ name, file, want string }{
		{"empty", "", "empty"},
		{"no mapping", "- 1", "expected_test.yaml:1: the file: expected a mapping"},
		{"not YAML", "version: [", "expected_test.yaml:1: not valid YAML"},
		{"two documents", top + "models: {s: {failures: {max: 0}}}\n---\nversion: 1", "a second YAML document"},
		{"version", strings.Replace(em("{min: 0}"), "version: 1", "version: 2", 1), "expected_test.yaml:1: version: expected 1"},
		{"no version", strings.TrimPrefix(em("{min: 0}"), "version: 1\n"), `key "version" is missing`},
		{"no queries", "version: 1\nmodels: {s: {failures: {max: 0}}}", `key "queries" is missing`},
		{"no hash", "version: 1\nqueries: {n: 2}\nmodels: {s: {failures: {max: 0}}}", `key "sha256" is missing`},
		{"short hash", "version: 1\nqueries: {sha256: abc}\nmodels: {s: {failures: {max: 0}}}", ":2: queries.sha256: expected 64"},
		{"no models", top, `key "models" is missing`},
		{"models empty", top + "models: {}", "expected_test.yaml:3: models: expected a mapping of model names, found an empty mapping"},
		{"model empty", student("{}"), "found an empty mapping"},
		{"model null", top + "models: {student: }", "found nothing"},
		{"metrics empty", student("metrics: {}"), "found an empty mapping"},
		{"unknown key", student("metric: {em: {min: 0}}"), `expected_test.yaml:5: models.student: unknown key "metric"; did you mean "metrics"?`},
		{"unknown metric", student("metrics: {exact: {min: 0}}"), `unknown key "exact"; expected one of em, em_substring`},
		{"duplicate key", em("{min: 0, min: 0.1}"), `key "min" is already on line 5`},
		{"duplicate model", top + "models:\n  s: {failures: {max: 0}}\n  s: {failures: {max: 9}}", `expected_test.yaml:5: models: key "s" is already on line 4`},
		{"duplicate metric", student("metrics:\n      em: {min: 0.7}\n      em: {min: 0}"), `expected_test.yaml:7: models.student.metrics: key "em" is already on line 6`},
		{"text for a number", em("{min: high}"), `expected a number, found "high"`},
		{"quoted number", em(`{min: "0.5"}`), "expected a number"},
		{"NaN", em("{min: .nan}"), "expected a number"},
		{"tagged NaN", em("{min: !!float NaN}"), "expected a number"},
		{"infinity", em("{min: -.inf}"), "expected a number"},
		{"percent for a share", em("{expected: 72, tolerance: 1}"), "72 cannot be; em lies in [0, 1]"},
		{"negative duration", student("duration_s: {max: -1}"), "cannot be"},
		{"no bound", em("{n: 5}"), "expected `expected` with `tolerance`"},
		{"no tolerance", em("{expected: 0.5}"), "`tolerance` is missing"},
		{"tolerance alone", em("{tolerance: 0.5}"), "expected `expected`"},
		{"both", em("{expected: 0.5, tolerance: 0.1, min: 0.4}"), "not both"},
		{"tolerance of limits", em("{min: 0.5, tolerance: 0.1}"), "not both"},
		{"negative tolerance", em("{expected: 0.5, tolerance: -0.1}"), "from 0 on"},
		{"tolerance NaN", em("{expected: 0.5, tolerance: .nan}"), "from 0 on"},
		{"tolerance NaN percent", em("{expected: 0.5, tolerance: nan%}"), "from 0 on"},
		{"min above max", em("{min: 0.6, max: 0.5}"), "above max"},
		{"alias", em("&a {min: 0.6}") + "\n  b: {metrics: {em: *a}}", "a reference to an anchor (*a)"},
		{"merge", student("<<: {failures: {max: 0}}"), `unknown key "<<"`},
		{"a share of nothing", em("{expected: 0, tolerance: 5%}"), "a share of 0"},
		{"per cent without its sign", em("{expected: 0.72, tolerance: 5}"), "every value passes"},
		{"tolerance of all", student("metrics: {cosine: {expected: 0, tolerance: 1}}"), "expected_test.yaml:5: models.student.cosine: every value passes"},
		{"no fewer right than expected", em("{expected: 0.02, tolerance: 0.02}"), "expected_test.yaml:5: models.student.em: the worst that it can be, 0, passes, so that this check never fails; state a tolerance of at most 0.01"},
		{"as wide as the value", em("{expected: 0.3, tolerance: 0.3}"), "the worst that it can be, 0, passes"},
		{"all but as wide as the value", em("{expected: 0.3, tolerance: 0.2999999999}"), "the worst that it can be, 0, passes"},
		{"wider than the value", student("metrics: {cosine: {expected: 0.1, tolerance: 1.2}}"), "every value passes"},
		{"wider than the way to the worst", student("metrics: {cosine: {expected: -0.2, tolerance: 1}}"), "the worst that it can be, -1, passes, so that this check never fails; state a tolerance of at most 0.4"},
		{"the worst expected", em("{expected: 0, tolerance: 0.02}"), "nothing is worse than 0"},
		{"least of all", em("{min: 0}"), "every value passes"},
		{"least of all, with a most", em("{min: 0, max: 0.7}"), "the worst that it can be, 0, passes"},
		{"most of all", em("{max: 1}"), "every value passes"},
		{"hundred per cent", student("tokens_per_s: {expected: 20, tolerance: 100%}"), "the worst that it can be, 0, passes"},
		{"a tolerance without an end", student("duration_s: {expected: 20, tolerance: 1e9}"), "so wide"},
		{"a share without an end", student("metrics: {answer_bits: {expected: 0.001, tolerance: 1e9%}}"), "so wide"},
		{"all failures", strings.Replace(student("failures: {max: 200}"), "{sha256", "{n: 200, sha256", 1), "expected_test.yaml:5: models.student.failures: with 200 failures allowed of 200 queries"},
		{"failures without an end", student("failures: {expected: 0, tolerance: 1e9}"), "this check never fails"},
		{"failures", student("failures: 3"), "expected a mapping of expected, max, tolerance"},
		{"fewest failures", student("failures: {min: 1}"), `unknown key "min"`},
		{"no number of failures", student("failures: {max: x}"), "expected a number"},
		{"negative failures", student("failures: {max: -1}"), "cannot be"},
		{"half a failure", student("failures: {max: 0.5}"), "whole number"},
		{"quality", student("wh_per_1000_queries: {max: 1, quality: guessed}"), "expected one of measured, partial, estimated"},
		{"unavailable", student("wh_per_1000_queries: {max: 1, quality: unavailable}"), "expected one of measured, partial, estimated"},
		{"quality of a time", student("duration_s: {max: 1, quality: measured}"), `unknown key "quality"`},
		{"query twice", student("queries_right: [a, a]"), `"a" appears twice`},
		{"no queries listed", student("queries_right: []"), "expected a list"},
		{"scoring", "scoring: {include_prompt: 1, embedding: builtin}\n" + em("{min: 0}"), "expected true or false"},
		{"half a scoring", "scoring: {embedding: builtin}\n" + em("{min: 0}"), `key "include_prompt" is missing`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := gate.Parse([]byte(test.file), "expected_test.yaml")
			var invalid *gate.Error
			if !errors.As(err, &invalid) {
				t.Fatalf("error %v is no *gate.Error in\n%s", err, test.file)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %q does not say %q", err, test.want)
			}
		})
	}
}

// TestParseTakesWhatCanFail wants no check refused that some value fails.
func TestParseTakesWhatCanFail(t *testing.T) {
	for _, student := range []string{
		"{metrics: {em: {expected: 0.02, tolerance: 0.0199}}}", "{metrics: {em: {expected: 1, tolerance: 0.02}}}",
		"{metrics: {em: {min: 0.001}}}", "{metrics: {em: {max: 0.7}}}", "{metrics: {em: {min: 0.1, max: 1}}}",
		"{metrics: {cosine: {expected: 0.1, tolerance: 1}}}", "{metrics: {cosine_lift: {expected: -0.2, tolerance: 0.4}}}",
		"{metrics: {answer_bits: {expected: 0, tolerance: 1}}}", "{metrics: {answer_bits: {max: 20}}}",
		"{duration_s: {expected: 10, tolerance: 100%}}", "{duration_s: {min: 5}}", "{tokens_per_s: {expected: 20, tolerance: 99%}}",
		"{failures: {expected: 0, tolerance: 0}}", "{failures: {max: 199}}",
	} {
		if _, err := gate.Parse([]byte(expectations(student)), "f"); err != nil {
			t.Errorf("%s: %v", student, err)
		}
	}
}

func TestParseTellsAllErrors(t *testing.T) {
	_, err := gate.Parse([]byte("version: 3\nqueries: {sha256: x}\nmodels: {s: {metrics: {em: {min: x}}}}"), "f")
	for _, want := range []string{"f:1:", "f:2:", "f:3:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not tell of %s", err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(expectations(em072))
	f.Add(expectations("{duration_s: {max: 1}, queries_right: [a], wh_per_1000_queries: {expected: 1, tolerance: 5 %}}"))
	f.Add("a: &a [*a]")
	f.Fuzz(func(t *testing.T, file string) {
		e, err := gate.Parse([]byte(file), "f")
		if err != nil {
			return
		}
		if len(e.Models) == 0 || len(e.Queries.SHA256) != 64 {
			t.Fatalf("accepted %+v", e)
		}
		// An empty run must never pass, whatever is expected of it.
		v, err := gate.Check(t.Context(), run(0, nil), e, gate.Options{AnyHost: true})
		if err != nil {
			t.Fatal(err)
		}
		if e.Queries.SHA256 != hash && v.Status() != reports.Inconclusive {
			t.Fatalf("%s on other queries", v.Status())
		}
	})
}
