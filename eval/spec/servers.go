package spec

import (
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/disteval/disteval/eval"
)

// verbatim is text whose spaces count.
func (p *parser) verbatim(what, key, expected string, to *string, fits func(string) bool) field {
	return scalar(p, what, key, expected, to, []string{"!!str"}, func(s string) (string, error) {
		if !fits(s) {
			return "", strconv.ErrSyntax
		}
		return s, nil
	})
}

// prompt reads how a query becomes the text that is sent. What a model's own
// does not state stays as in general.
func (p *parser) prompt(n *yaml.Node, what string, to *eval.Prompting) {
	before := len(p.errs)
	p.mapping(n, what,
		p.verbatim(what, "template", "text that holds "+eval.Slot+" once", &to.Template, func(s string) bool { return strings.Count(s, eval.Slot) == 1 }),
		p.integer(what, "shots", &to.Shots, 0, 1000),
		p.text(what, "examples", &to.ExamplesSrc),
		p.text(what, "system", &to.System),
	)
	if len(p.errs) == before && to.ExamplesSrc != "" && to.Shots == 0 && what == "prompt" {
		p.fail(n, "%s: examples without prompt.shots; write how many stand before a prompt", what)
	}
}

// keyName reads the name of an environment variable. What is no name may be a
// key, and is not repeated.
func (p *parser) keyName(what string, to *string) field {
	const key = "api_key_env"
	return field{key, func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode || n.Tag != "!!str" || !variable.MatchString(n.Value) {
			p.fail(n, "%s.%s: expected the name of an environment variable that holds the key, not the key itself", what, key)
			return
		}
		*to = n.Value
	}}
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// served reads which server's model makes the vectors.
func (p *parser) served(n *yaml.Node, s *eval.Scoring) {
	const what = "scoring.embedding"
	var ollama, openai string
	before := len(p.errs)
	p.mapping(n, what, p.text(what, "ollama", &ollama), p.text(what, "openai", &openai), p.text(what, "host", &s.Host), p.keyName(what, &s.APIKeyEnv))
	model := ollama + openai
	switch {
	case len(p.errs) > before:
	case model == "":
		p.fail(n, "%s: expected {ollama: MODEL}, {openai: MODEL, host: ADDRESS} or %s", what, eval.EmbeddingBuiltin)
	case ollama != "" && openai != "":
		p.fail(n, "%s: expected one of ollama and openai, found both", what)
	case openai != "" && s.Host == "":
		p.fail(n, "%s: host: is missing: the address of the server that has %s", what, openai)
	case model == eval.EmbeddingBuiltin:
		p.fail(n, "%s: %s names the vectors inside the program; write embedding: %s", what, model, model)
	default:
		s.Embedding = model
		if openai != "" {
			s.Provider = eval.ProviderOpenAI
		}
	}
}
