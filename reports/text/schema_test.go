package text

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval/evaltest"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

// TestSchema wants the published schema of summary.json to be the one that its
// types give, and a summary to follow it. -update writes it.
func TestSchema(t *testing.T) {
	s := schema(t)
	evaltest.Published(t, "../..", "summary.schema.json", s, *update)
	invalid := evaltest.Validator(t, s)
	var b strings.Builder
	if err := WriteSummaryJSON(context.Background(), &b, sample()); err != nil {
		t.Fatal(err)
	}
	if err := invalid(b.String()); err != nil {
		t.Error(err)
	}
	for was, is := range map[string]string{`"status": "partial"`: `"status": "done"`, `"em_strict"`: `"em_lenient"`, `"plan_hash"`: `"hash"`} {
		if other := strings.Replace(b.String(), was, is, 1); other == b.String() || invalid(other) == nil {
			t.Errorf("the schema accepts %s in place of %s", is, was)
		}
	}
}

// schema is made from the types. Keys that it does not know are allowed, for
// later versions add some.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	one, err := jsonschema.For[metric](nil)
	if err != nil {
		t.Fatal(err)
	}
	known := &jsonschema.Schema{Type: "object", Properties: map[string]*jsonschema.Schema{}}
	for _, m := range metrics.All() {
		known.Properties[m.Name] = &jsonschema.Schema{Ref: "#/$defs/metric"}
		known.PropertyOrder = append(known.PropertyOrder, m.Name)
		known.Required = append(known.Required, m.Name)
	}
	s, err := jsonschema.For[summary](&jsonschema.ForOptions{TypeSchemas: map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[metricMap]():         known,
		reflect.TypeFor[reports.Status]():    {Enum: []any{reports.Complete, reports.Partial}},
		reflect.TypeFor[emissions.Quality](): {Enum: []any{emissions.Measured, emissions.Partial, emissions.Estimated, emissions.Unavailable}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.Title = "summary.json of disteval"
	s.Defs = map[string]*jsonschema.Schema{"metric": one}
	s.Properties["schema"] = &jsonschema.Schema{Enum: []any{"disteval.summary/1"}}
	open(s)
	return s
}

// open allows keys that a schema does not name.
func open(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Not != nil {
		s.AdditionalProperties = nil
	}
	for _, parts := range []map[string]*jsonschema.Schema{s.Properties, s.Defs} {
		for _, part := range parts {
			open(part)
		}
	}
	open(s.Items)
	open(s.AdditionalProperties)
}
