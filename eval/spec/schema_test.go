package spec_test

import (
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v3"

	"github.com/disteval/disteval/eval/evaltest"
	"github.com/disteval/disteval/eval/spec"
)

var update = flag.Bool("update", false, "write docs/schemas/models.schema.json")

// TestSchema wants the published schema of models.yaml to be the one that the
// table of keys gives. -update writes it.
func TestSchema(t *testing.T) {
	evaltest.Published(t, "../..", "models.schema.json", schema(), *update)
}

// TestSchemaAgreesWithTheParser wants the schema and the parser to accept and
// refuse the same files, as far as a schema can tell.
func TestSchemaAgreesWithTheParser(t *testing.T) {
	example, err := os.ReadFile("../../models.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const models = "version: 1\nmodels: [{name: a, provider: builtin, model: mini-baby}]\n"
	invalid := evaltest.Validator(t, schema())
	for text, want := range map[string]bool{
		string(example):                  true,
		models:                           true,
		models + "likelihood: \"off\"":   true,
		models + "likelihood: off":       true,
		models + "likelihood: sometimes": false,
		models + "likelihood: {answers: true, fidelity: {tokens: 16}}":    true,
		models + "likelihood: {fidelity: {}}":                             false,
		models + "scoring: {embedding: {ollama: nomic-embed-text}}":       true,
		models + "scoring: {embedding: elephantine}":                      false,
		models + "generation: {num_predict: 0}":                           false,
		models + "generation: {temperature: hot}":                         false,
		models + "generation: {stop: [\"\\n\"], samples: 5, top_p: 0.9}":  true,
		models + "emissions: {country: AUS, idle_baseline: 10s, pue: 1}":  true,
		models + "emissions: {idle_baseline: 0}":                          true,
		models + "emissions: {idle_baseline: 10}":                         false,
		models + "emissions: {idle_baseline: ten}":                        false,
		models + "emissions: {method: by-eye}":                            false,
		models + "elephantine: 1":                                         false,
		"version: 2\n" + models[len("version: 1\n"):]:                     false,
		"version: 1\nmodels: []":                                          false,
		"version: 1\nmodels: [{name: a, provider: builtin}]":              false,
		"version: 1\nmodels: [{name: a, provider: delphi, model: b}]":     false,
		"version: 1\nmodels: [{name: a, provider: builtin, model: b, c}]": false,
	} {
		if _, err := spec.Parse([]byte(text), "models.yaml", defaults); (err == nil) != want {
			t.Errorf("the parser says of\n%s\n%v", text, err)
		}
		if err := invalid(text); (err == nil) != want {
			t.Errorf("the schema says of\n%s\n%v", text, err)
		}
	}
}

// schema makes a JSON schema of the table of keys: a definition for each
// section.
func schema() *jsonschema.Schema {
	root := &jsonschema.Schema{
		Title: "models.yaml of disteval",
		Defs:  map[string]*jsonschema.Schema{},
	}
	for _, k := range spec.Keys() {
		section := root
		if k.Section != "file" {
			if root.Defs[k.Section] == nil {
				root.Defs[k.Section] = &jsonschema.Schema{}
			}
			section = root.Defs[k.Section]
		}
		section.Type = "object"
		section.AdditionalProperties = &jsonschema.Schema{Not: &jsonschema.Schema{}}
		if section.Properties == nil {
			section.Properties = map[string]*jsonschema.Schema{}
		}
		section.Properties[k.Name] = property(k)
		section.PropertyOrder = append(section.PropertyOrder, k.Name)
		if k.Required {
			section.Required = append(section.Required, k.Name)
		}
	}
	return root
}

func property(k spec.Key) *jsonschema.Schema {
	s := valueOf(k)
	switch {
	case k.Section == "scoring" && k.Name == "embedding":
		s = &jsonschema.Schema{AnyOf: []*jsonschema.Schema{s, section("embedding")}}
	case k.Section == "file" && k.Name == "likelihood": // editors that read YAML 1.1 take a bare off for false
		s = &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Enum: []any{"off", false}}, s}}
	}
	s.Description = k.Doc
	var value any
	if k.Default != "" && yaml.Unmarshal([]byte(k.Default), &value) == nil {
		s.Default, _ = json.Marshal(value)
	}
	return s
}

func valueOf(k spec.Key) *jsonschema.Schema {
	one := 1
	switch k.Type {
	case spec.Text:
		return &jsonschema.Schema{Type: "string", MinLength: &one}
	case spec.Texts:
		return &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{Type: "string", Enum: words(k)}}
	case spec.Word:
		return &jsonschema.Schema{Enum: words(k)}
	case spec.Boolean:
		return &jsonschema.Schema{Type: "boolean"}
	case spec.Integer:
		return &jsonschema.Schema{Type: "integer", Minimum: &k.Min, Maximum: &k.Max}
	case spec.Number:
		return &jsonschema.Schema{Type: "number", Minimum: &k.Min, Maximum: &k.Max}
	case spec.Duration:
		zero := 0.0 // the one duration that needs no unit
		return &jsonschema.Schema{Types: []string{"string", "integer"}, Pattern: `^([0-9]+(\.[0-9]+)?(h|m|s|ms))+$`, Minimum: &zero, Maximum: &zero}
	case spec.Mapping:
		return section(k.Name)
	case spec.List:
		return &jsonschema.Schema{Type: "array", Items: section(k.Of), MinItems: &one}
	}
	panic("a key of type " + k.Type)
}

func section(name string) *jsonschema.Schema { return &jsonschema.Schema{Ref: "#/$defs/" + name} }

func words(k spec.Key) (out []any) {
	for _, w := range k.Words {
		out = append(out, w)
	}
	return out
}
