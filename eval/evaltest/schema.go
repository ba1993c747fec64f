package evaltest

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v3"
)

// Schemas is where the schemas are published, and what their $id begins with.
const Schemas = "https://raw.githubusercontent.com/disteval/disteval/main/docs/schemas/"

// Published wants the file of docs/schemas to be this schema, and writes it
// first where update is set. dir is the repository's root.
func Published(t *testing.T, dir, file string, s *jsonschema.Schema, update bool) {
	t.Helper()
	s.Schema, s.ID = "https://json-schema.org/draft/2020-12/schema", Schemas+file
	var text bytes.Buffer
	out := json.NewEncoder(&text)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	if err := out.Encode(s); err != nil {
		t.Fatal(err)
	}
	path := dir + "/docs/schemas/" + file
	if update {
		if err := os.WriteFile(path, text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	published, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(published, text.Bytes()) {
		t.Errorf("%s is not what the program's own types give: make golden writes it anew", path)
	}
}

// Validator returns what says what a schema, as it is published, finds wrong in
// a YAML or JSON text.
func Validator(t *testing.T, s *jsonschema.Schema) func(text string) error {
	t.Helper()
	var published jsonschema.Schema
	b, err := json.Marshal(s)
	if err == nil {
		err = json.Unmarshal(b, &published)
	}
	if err != nil {
		t.Fatal(err)
	}
	resolved, err := published.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(text string) error {
		var value any
		if err := yaml.Unmarshal([]byte(text), &value); err != nil {
			return err
		}
		return resolved.Validate(value)
	}
}
