package spec

import (
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/queries"
)

// prompt reads how a query becomes the text that is sent. What a model's own
// does not state stays as in general.
func (p *parser) prompt(n *yaml.Node, what string, to *eval.Prompting) {
	before := p.Faults()
	p.mapping(n, what,
		scalar(p, what, keyOf(what, "template").Name, "text that holds "+eval.Slot+" once", &to.Template, []string{"!!str"}, func(s string) (string, error) {
			if strings.Count(s, eval.Slot) != 1 {
				return "", strconv.ErrSyntax
			}
			return s, nil
		}),
		p.integer(what, "shots", &to.Shots),
		p.text(what, "examples", &to.ExamplesSrc),
		p.text(what, "system", &to.System),
	)
	if p.Faults() == before && to.ExamplesSrc != "" && to.Shots == 0 && what == "prompt" {
		p.Fail(n, "%s: examples without prompt.shots; write how many stand before a prompt", what)
	}
}

// keyName reads the name of an environment variable. What is no name may be a
// key, and is not repeated.
func (p *parser) keyName(what string, to *string) queries.Field {
	return p.other(what, "api_key_env", func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode || n.Tag != "!!str" || !variable.MatchString(n.Value) {
			p.Fail(n, "%s.api_key_env: expected the name of an environment variable that holds the key, not the key itself", what)
			return
		}
		*to = n.Value
	})
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// served reads which server's model makes the vectors.
func (p *parser) served(n *yaml.Node, s *eval.Scoring) {
	const what = "scoring.embedding"
	var ollama, openai string
	before := p.Faults()
	p.mapping(n, what, p.text(what, "ollama", &ollama), p.text(what, "openai", &openai), p.text(what, "host", &s.Host), p.keyName(what, &s.APIKeyEnv))
	model := ollama + openai
	switch {
	case p.Faults() > before:
	case model == "":
		p.Fail(n, "%s: expected {ollama: MODEL}, {openai: MODEL, host: ADDRESS} or %s", what, eval.EmbeddingBuiltin)
	case ollama != "" && openai != "":
		p.Fail(n, "%s: expected one of ollama and openai, found both", what)
	case openai != "" && s.Host == "":
		p.Fail(n, "%s: host: is missing: the address of the server that has %s", what, openai)
	case model == eval.EmbeddingBuiltin:
		p.Fail(n, "%s: %s names the vectors inside the program; write embedding: %s", what, model, model)
	default:
		s.Embedding = model
		if openai != "" {
			s.Provider = eval.ProviderOpenAI
		}
	}
}
