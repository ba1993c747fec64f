package spec

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/disteval/disteval/eval"
)

// SchemaURL is where editors find the schema of a models file.
const SchemaURL = "https://raw.githubusercontent.com/disteval/disteval/main/docs/schemas/models.schema.json"

// Draft is what a new models file is made of.
type Draft struct {
	File       string       // as people will name it to --models
	Found      []string     // what there is on this machine, a line each
	Models     []eval.Model // to ask; only what the file says of them is read
	Later      []Later
	Embeddings []string // models in Ollama that make vectors
}

// Later is a model that is there and cannot be asked as it is: the file shows it
// as a comment.
type Later struct {
	Model eval.Model
	Why   string
}

// Write writes the models file, with a comment on everything that people will
// want to change.
func (d Draft) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, `# yaml-language-server: $schema=%s
# Written by disteval init. What is on this machine:
`, SchemaURL)
	for _, line := range d.Found {
		fmt.Fprintf(&b, "#   %s\n", comment(line))
	}
	fmt.Fprintf(&b, `# Ask the models, score their replies, meter the energy and report:
#   disteval run --models %s
# Add --limit 10 for a first look, --dry-run to see every default.
version: 1

# builtin is the set of 200 questions inside the program; or a .yaml, .jsonl or
# .csv file of your own.
queries: builtin

# Greedy completion of the text as it stands, alike for all models. A model may
# have a generation: of its own. raw: false asks instruction-tuned models through
# their chat template.
generation: {raw: true, temperature: 0, repeat_penalty: 1.0, seed: 42, num_predict: 64, num_ctx: 128}

# embedding: the vectors of cosine. builtin, or {ollama: MODEL}.
`, comment(d.File))
	for _, name := range d.Embeddings {
		fmt.Fprintf(&b, "# Your Ollama has one: embedding: %s\n", flow(pair{"ollama", name}))
	}
	b.WriteString(`scoring: {include_prompt: false, embedding: builtin}

# method: auto takes every energy counter that this machine has; disteval energy
# probe lists them. Without a country, such as country: AUS, there is no CO2.
emissions: {method: auto}

# role: reference marks the teacher, with which the others are compared. Here the
# largest is taken for it. A model that is not there yet is got by disteval models
# pull: - {name: student, provider: ollama, model: student, source: "hf://OWNER/REPO"}
models:
`)
	for _, m := range d.Models {
		fmt.Fprintf(&b, "  - %s\n", entry(m))
	}
	for _, l := range d.Later {
		fmt.Fprintf(&b, "  # %s:\n  # - %s\n", comment(l.Why), entry(l.Model))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// entry is a model as a line of the file.
func entry(m eval.Model) string {
	pairs := []pair{{"name", m.Name}, {"provider", m.Provider}, {"model", m.Model}}
	if m.Source != "" {
		pairs = append(pairs, pair{"source", m.Source})
	}
	if m.Role == eval.RoleReference {
		pairs = append(pairs, pair{"role", string(m.Role)})
	}
	text := flow(pairs...)
	if n := m.Generation.NumCtx; n > 0 {
		text = strings.TrimSuffix(text, "}") + fmt.Sprintf(", generation: {num_ctx: %d}}", n)
	}
	return text
}

type pair struct{ key, value string }

// flow writes a mapping of texts as YAML on one line.
func flow(pairs ...pair) string {
	n := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	for _, p := range pairs {
		value := &yaml.Node{}
		value.SetString(p.value)
		value.Style &^= yaml.LiteralStyle
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: p.key}, value)
	}
	text, err := yaml.Marshal(n)
	if err != nil {
		panic(err) // texts can always be written
	}
	return strings.TrimSuffix(string(text), "\n")
}

// comment makes a text one line that a comment can hold.
func comment(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
