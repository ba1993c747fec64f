package gate_test

import (
	"math"
	"os"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval/evaltest"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports/gate"
)

// TestSchema wants the published schema of expected.yaml to be the one that the
// metrics and measures give. -update writes it.
func TestSchema(t *testing.T) {
	evaltest.Published(t, "../..", "expected.schema.json", schema(), *update)
}

// TestSchemaAgreesWithTheParser wants the schema and the parser to accept and
// refuse the same files, as far as a schema can tell.
func TestSchemaAgreesWithTheParser(t *testing.T) {
	example, err := os.ReadFile("../../expected.yaml")
	if err != nil {
		t.Fatal(err)
	}
	of := func(what string) string {
		return "version: 1\nqueries: {sha256: " + hash + "}\nmodels: {student: {" + what + "}}"
	}
	invalid := evaltest.Validator(t, schema())
	for text, want := range map[string]bool{
		string(example):                                                                      true,
		of("metrics: {em: {min: .2}}"):                                                       true,
		of("metrics: {em: {expected: 0.5, tolerance: 5%}}"):                                  true,
		of("metrics: {em: {expected: 0.5, tolerance: 0.02, n: 180}}"):                        true,
		of("metrics: {em: {expected: 0.5}}"):                                                 false,
		of("metrics: {em: {min: 0.5, max: 0.7, tolerance: 0.1}}"):                            false,
		of("metrics: {em: {expected: 1.5, tolerance: 0.02}}"):                                false,
		of("metrics: {em: {min: 0.5, quality: measured}}"):                                   false,
		of("metrics: {elephantine: {min: 0.5}}"):                                             false,
		of("metrics: {answer_bits: {max: 20}}"):                                              true,
		of("failures: {max: 2}, queries_right: [a, b]"):                                      true,
		of("failures: {max: 0.5}"):                                                           false,
		of("queries_right: [a, a]"):                                                          false,
		of("wh_per_1000_queries: {expected: 12, tolerance: 10%, quality: measured}"):         true,
		of("wh_per_1000_queries: {expected: 12, tolerance: 10%, quality: guessed}"):          false,
		of("measured_wh_per_1000_queries: {expected: 12, tolerance: 10%, method: rapl}"):     true,
		of("measured_wh_per_1000_queries: {expected: 12, tolerance: 10%, quality: partial}"): false,
		of("em_any: {samples: 5, min: 0.4}, identical_texts: {samples: 5, min: 1}"):          true,
		of("em_any: {min: 0.4}"):                                                             false,
		of("identical_texts: {samples: 1, min: 0.4}"):                                        false,
		of("em_any: {samples: 5, min: 1.4}"):                                                 false,
		of("duration_s: {max: 80}, digest: \"sha256:aa\""):                                   true,
		"version: 1\nqueries: {sha256: abc}\nmodels: {a: {duration_s: {max: 8}}}":            false,
		"version: 1\nmodels: {a: {duration_s: {max: 8}}}":                                    false,
	} {
		if _, err := gate.Parse([]byte(text), "expected.yaml"); (err == nil) != want {
			t.Errorf("the parser says of\n%s\n%v", text, err)
		}
		if err := invalid(text); (err == nil) != want {
			t.Errorf("the schema says of\n%s\n%v", text, err)
		}
	}
}

func schema() *jsonschema.Schema {
	s := object("version", integer(1, 1),
		"queries", object("name", text(), "n", integer(1, math.Inf(1)), "sha256", &jsonschema.Schema{Type: "string", Pattern: "^[0-9a-fA-F]{64}$"}),
		"host", text(),
		"scoring", object("include_prompt", &jsonschema.Schema{Type: "boolean"}, "embedding", text()),
		"models", &jsonschema.Schema{Type: "object", MinProperties: ptr(1), AdditionalProperties: model()})
	s.Title = "expected.yaml of disteval"
	s.Required = []string{"version", "queries", "models"}
	s.Properties["queries"].Required = []string{"sha256"}
	s.Properties["scoring"].Required = []string{"include_prompt", "embedding"}
	return s
}

func model() *jsonschema.Schema {
	scores := object()
	for _, m := range metrics.All() {
		scores.Properties[m.Name] = bound(number(m.Min, m.Max), "n", integer(1, math.Inf(1)))
		scores.PropertyOrder = append(scores.PropertyOrder, m.Name)
	}
	amount, method := number(0, math.Inf(1)), text()
	shares := bound(number(0, 1), "samples", integer(2, math.Inf(1)))
	shares.Required = []string{"samples"}
	quality := &jsonschema.Schema{Enum: []any{emissions.Measured, emissions.Partial, emissions.Estimated}}
	return object("digest", text(),
		gate.Failures, bound(integer(0, math.Inf(1))),
		"metrics", scores,
		gate.EMAny, shares, gate.IdenticalTexts, shares,
		gate.DurationS, bound(amount), gate.TokensPerS, bound(amount),
		gate.WhPer1000, bound(amount, "quality", quality, "method", method),
		gate.MeasuredWhPer1000, bound(amount, "method", method),
		"queries_right", &jsonschema.Schema{Type: "array", Items: text(), UniqueItems: true})
}

// bound is a value with its tolerance, or limits.
func bound(value *jsonschema.Schema, more ...any) *jsonschema.Schema {
	tolerance := &jsonschema.Schema{AnyOf: []*jsonschema.Schema{number(0, math.Inf(1)), {Type: "string", Pattern: `^[0-9.]+ *%$`}}}
	s := object(append([]any{"expected", value, "tolerance", tolerance, "min", value, "max", value}, more...)...)
	none := &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Required: []string{"expected"}}, {Required: []string{"tolerance"}}}}
	s.OneOf = []*jsonschema.Schema{
		{Required: []string{"expected", "tolerance"}, Not: &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Required: []string{"min"}}, {Required: []string{"max"}}}}},
		{AnyOf: []*jsonschema.Schema{{Required: []string{"min"}}, {Required: []string{"max"}}}, Not: none},
	}
	return s
}

// object is a mapping of names and schemas, which come in turn, and of no other
// keys.
func object(properties ...any) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "object", Properties: map[string]*jsonschema.Schema{}, AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}}}
	for i := 0; i < len(properties); i += 2 {
		name := properties[i].(string)
		s.Properties[name] = properties[i+1].(*jsonschema.Schema).CloneSchemas()
		s.PropertyOrder = append(s.PropertyOrder, name)
	}
	return s
}

func text() *jsonschema.Schema { return &jsonschema.Schema{Type: "string", MinLength: ptr(1)} }

func integer(lo, hi float64) *jsonschema.Schema {
	s := number(lo, hi)
	s.Type = "integer"
	return s
}

func number(lo, hi float64) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "number"}
	if !math.IsInf(lo, -1) {
		s.Minimum = &lo
	}
	if !math.IsInf(hi, 1) {
		s.Maximum = &hi
	}
	return s
}

func ptr(n int) *int { return &n }
