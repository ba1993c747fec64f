package spec_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/spec"
	"github.com/disteval/disteval/queries"
)

// sections writes a models file that has text in one mapping.
var sections = map[string]string{
	"file":       "%s, version: 1, models: [{name: a, provider: builtin, model: b}]",
	"generation": "version: 1, generation: {%s}, models: [{name: a, provider: builtin, model: b}]",
	"prompt":     "version: 1, prompt: {%s}, models: [{name: a, provider: builtin, model: b}]",
	"scoring":    "version: 1, scoring: {%s}, models: [{name: a, provider: builtin, model: b}]",
	"embedding":  "version: 1, scoring: {embedding: {%s}}, models: [{name: a, provider: builtin, model: b}]",
	"emissions":  "version: 1, emissions: {%s}, models: [{name: a, provider: builtin, model: b}]",
	"likelihood": "version: 1, likelihood: {%s}, models: [{name: a, provider: builtin, model: b}]",
	"fidelity":   "version: 1, likelihood: {fidelity: {%s}}, models: [{name: a, provider: builtin, model: b}]",
	"model":      "version: 1, models: [{%s, name: a, provider: builtin, model: b}]",
}

func parse(section, text string) (eval.Plan, error) {
	return spec.Parse(fmt.Appendf(nil, "{"+sections[section]+"}", text), "m.yaml", defaults)
}

// TestKeysAreTheParsers wants the table to hold the keys that the parser knows,
// no more and no fewer.
func TestKeysAreTheParsers(t *testing.T) {
	names := map[string][]string{}
	for _, k := range spec.Keys() {
		names[k.Section] = append(names[k.Section], k.Name)
	}
	for section := range sections {
		_, err := parse(section, "elephantine: 1")
		want := `unknown key "elephantine"; expected one of ` + strings.Join(names[section], ", ")
		if err == nil || !strings.Contains(err.Error()+"\n", want+"\n") {
			t.Errorf("%s: got %v, want %s", section, err, want)
		}
		delete(names, section)
	}
	if len(names) > 0 {
		t.Errorf("sections %v are of no mapping", names)
	}
}

// TestKeysDefaults wants a default that is written out to change nothing.
func TestKeysDefaults(t *testing.T) {
	plain, err := spec.Parse([]byte("{version: 1, models: [{name: a, provider: builtin, model: b}]}"), "m.yaml", defaults)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range spec.Keys() {
		if k.Doc == "" || !strings.HasSuffix(k.Doc, ".") {
			t.Errorf("%s.%s: %q is no sentence", k.Section, k.Name, k.Doc)
		}
		if k.Default == "" {
			continue
		}
		stated, err := parse(k.Section, k.Name+": "+k.Default)
		if err != nil {
			t.Errorf("%s.%s: the default %s is refused: %v", k.Section, k.Name, k.Default, err)
			continue
		}
		if diff := cmp.Diff(plain, stated, cmpopts.IgnoreUnexported(queries.Set{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s.%s: %s is not the default: %s", k.Section, k.Name, k.Default, diff)
		}
	}
}

// TestKeysTypes wants a value of another type or beyond the range refused.
func TestKeysTypes(t *testing.T) {
	for _, k := range spec.Keys() {
		bad := []string{"[[x]]"}
		switch k.Type {
		case spec.Integer:
			bad = append(bad, "x", "1.5", fmt.Sprintf("%.0f", k.Min-1), fmt.Sprintf("%.0f", k.Max+1))
		case spec.Number:
			bad = append(bad, "x", ".nan", fmt.Sprint(k.Min-1), fmt.Sprint(k.Max+1))
		case spec.Boolean, spec.Word, spec.Duration, spec.List:
			bad = append(bad, "elephantine")
		case spec.Text:
			bad = append(bad, "''", "1", "{}")
		}
		for _, value := range bad {
			if k.Section == "file" && k.Required || k.Section == "model" && k.Required {
				continue // stands in the file already
			}
			if _, err := parse(k.Section, k.Name+": "+value); err == nil {
				t.Errorf("%s.%s: %s is accepted", k.Section, k.Name, value)
			}
		}
	}
}
