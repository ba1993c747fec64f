package spec

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/disteval/disteval/eval"
)

// parser walks the document's nodes and gathers what is wrong.
type parser struct {
	file string
	errs []error
}

func (p *parser) fail(n *yaml.Node, format string, args ...any) {
	const most = 20
	if len(p.errs) < most {
		p.errs = append(p.errs, &Error{File: p.file, Line: n.Line, Reason: fmt.Sprintf(format, args...)})
	}
}

// field is one key that a mapping may have.
type field struct {
	key  string
	read func(*yaml.Node)
}

// mapping hands each value to its field and refuses the rest.
func (p *parser) mapping(n *yaml.Node, what string, fields ...field) {
	if n.Kind != yaml.MappingNode {
		p.fail(n, "%s: expected a mapping of %s, found %s", what, keys(fields), describe(n))
		return
	}
	seen := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if line, dup := seen[k.Value]; dup {
			p.fail(k, "%s: key %q stands on line %d already", what, k.Value, line)
			continue
		}
		seen[k.Value] = k.Line
		at := slices.IndexFunc(fields, func(f field) bool { return f.key == k.Value })
		switch {
		case at < 0:
			p.fail(k, "%s: unknown key %q; expected one of %s", what, k.Value, keys(fields))
		case v.Kind == yaml.AliasNode:
			p.fail(v, "%s.%s: aliases (*%s) are not allowed here; write the value out", what, k.Value, v.Value)
		default:
			fields[at].read(v)
		}
	}
}

func keys(fields []field) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.key
	}
	return strings.Join(names, ", ")
}

// describe says what a node is, for an error.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "the alias *" + n.Value
	}
	if n.Tag == "!!null" {
		return "nothing"
	}
	return strconv.Quote(n.Value)
}

// scalar is a field whose value parse turns into a T.
func scalar[T any](p *parser, what, key, expected string, to *T, tags []string, parse func(string) (T, error)) field {
	return field{key, func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode || !slices.Contains(tags, n.Tag) {
			p.fail(n, "%s.%s: expected %s, found %s", what, key, expected, describe(n))
			return
		}
		v, err := parse(n.Value)
		if err != nil {
			p.fail(n, "%s.%s: expected %s, found %s", what, key, expected, describe(n))
			return
		}
		*to = v
	}}
}

func (p *parser) text(what, key string, to *string) field {
	return scalar(p, what, key, "text", to, []string{"!!str"}, func(s string) (string, error) {
		if s = strings.TrimSpace(s); s == "" {
			return "", strconv.ErrSyntax
		}
		return s, nil
	})
}

func (p *parser) oneOf(what, key string, to *string, values ...string) field {
	return scalar(p, what, key, "one of "+strings.Join(values, ", "), to, []string{"!!str", "!!bool", "!!null"}, func(s string) (string, error) {
		if !slices.Contains(values, s) {
			return "", strconv.ErrSyntax
		}
		return s, nil
	})
}

func (p *parser) boolean(what, key string, to *bool) field {
	return scalar(p, what, key, "true or false", to, []string{"!!bool"}, strconv.ParseBool)
}

func (p *parser) integer(what, key string, to *int, lo, hi int) field {
	return scalar(p, what, key, fmt.Sprintf("a whole number from %d to %d", lo, hi), to, []string{"!!int"}, func(s string) (int, error) {
		v, err := strconv.Atoi(s)
		if err == nil && (v < lo || v > hi) {
			err = strconv.ErrRange
		}
		return v, err
	})
}

func (p *parser) number(what, key string, to *float64, lo, hi float64) field {
	return scalar(p, what, key, fmt.Sprintf("a number from %g to %g", lo, hi), to, []string{"!!int", "!!float"}, func(s string) (float64, error) {
		v, err := strconv.ParseFloat(s, 64)
		if err == nil && (math.IsNaN(v) || v < lo || v > hi) {
			err = strconv.ErrRange
		}
		return v, err
	})
}

// optional wraps a field whose absence is not its zero value.
func optional[T any](to **T, make func(*T) field) field {
	v := new(T)
	f := make(v)
	return field{f.key, func(n *yaml.Node) {
		f.read(n)
		*to = v
	}}
}

func (p *parser) duration(what, key string, to *time.Duration, hi time.Duration) field {
	expected := fmt.Sprintf("a duration from 0 to %s, such as 10s", hi)
	return scalar(p, what, key, expected, to, []string{"!!str", "!!int"}, func(s string) (time.Duration, error) {
		v, err := time.ParseDuration(s)
		if err == nil && (v < 0 || v > hi) {
			err = strconv.ErrRange
		}
		return v, err
	})
}

func (p *parser) texts(what, key string, to *[]string) field {
	return field{key, func(n *yaml.Node) {
		if n.Kind != yaml.SequenceNode {
			p.fail(n, "%s.%s: expected a list of texts, found %s", what, key, describe(n))
			return
		}
		for _, c := range n.Content {
			if c.Kind != yaml.ScalarNode || c.Tag != "!!str" || c.Value == "" {
				p.fail(c, "%s.%s: expected text, found %s", what, key, describe(c))
				continue
			}
			*to = append(*to, c.Value)
		}
	}}
}

// plan reads the whole document but for the queries' contents.
func (p *parser) plan(n *yaml.Node, d Defaults) eval.Plan {
	version := 0
	plan := eval.Plan{
		QuerySrc:  "builtin",
		Scoring:   eval.Scoring{Embedding: eval.EmbeddingBuiltin},
		Emissions: eval.Emissions{Method: "auto", Country: d.Country, PUE: 1, Sysfs: d.Sysfs, Procfs: d.Procfs},
		Parallel:  1,
		Samples:   1,
		Rules:     eval.RulesNow,
	}
	general := eval.DefaultGeneration()
	var models *yaml.Node
	p.mapping(n, "models file",
		p.integer("models file", "version", &version, 1, 1),
		p.text("models file", "queries", &plan.QuerySrc),
		field{"generation", func(n *yaml.Node) { p.generation(n, "generation", &general) }},
		field{"scoring", func(n *yaml.Node) { p.scoring(n, &plan.Scoring) }},
		field{"emissions", func(n *yaml.Node) { p.emissions(n, &plan.Emissions) }},
		field{"likelihood", func(n *yaml.Node) { p.likelihood(n, &plan.Likelihood) }},
		field{"models", func(n *yaml.Node) { models = n }},
	)
	if n.Kind != yaml.MappingNode {
		return plan
	}
	if version == 0 && len(p.errs) == 0 {
		p.fail(n, "models file: version: 1 is missing")
	}
	if models == nil {
		p.fail(n, "models file: models: is missing; it lists at least one {name, provider, model}")
		return plan
	}
	plan.Models = p.models(models, general)
	return plan
}

func (p *parser) generation(n *yaml.Node, what string, g *eval.Generation) {
	p.mapping(n, what,
		p.boolean(what, "raw", &g.Raw),
		p.number(what, "temperature", &g.Temperature, 0, 10),
		p.number(what, "repeat_penalty", &g.RepeatPenalty, 0.01, 10),
		p.integer(what, "seed", &g.Seed, 0, math.MaxInt32),
		p.integer(what, "num_predict", &g.NumPredict, 1, 1<<17),
		p.integer(what, "num_ctx", &g.NumCtx, 1, 1<<21),
		optional(&g.TopK, func(v *int) field { return p.integer(what, "top_k", v, 0, 1<<20) }),
		optional(&g.TopP, func(v *float64) field { return p.number(what, "top_p", v, 0, 1) }),
		optional(&g.NumThread, func(v *int) field { return p.integer(what, "num_thread", v, 1, 4096) }),
		p.texts(what, "stop", &g.Stop),
	)
}

func (p *parser) scoring(n *yaml.Node, s *eval.Scoring) {
	p.mapping(n, "scoring",
		p.boolean("scoring", "include_prompt", &s.IncludePrompt),
		field{"embedding", func(n *yaml.Node) {
			if n.Kind == yaml.MappingNode {
				p.served(n, &s.Embedding)
				return
			}
			p.oneOf("scoring", "embedding", &s.Embedding, eval.EmbeddingBuiltin).read(n)
		}},
	)
}

// likelihood reads what is asked for beside the answers, or off.
func (p *parser) likelihood(n *yaml.Node, l *eval.Likelihood) {
	const what = "likelihood"
	if n.Kind == yaml.ScalarNode {
		var off string
		before := len(p.errs)
		p.oneOf("models file", what, &off, "off").read(n)
		if len(p.errs) == before {
			*l = eval.LikelihoodOff()
		}
		return
	}
	p.mapping(n, what,
		optional(&l.Answers, func(v *bool) field { return p.boolean(what, "answers", v) }),
		optional(&l.Choice, func(v *bool) field { return p.boolean(what, "choice", v) }),
		field{"fidelity", func(n *yaml.Node) { p.fidelity(n, l) }},
	)
}

func (p *parser) fidelity(n *yaml.Node, l *eval.Likelihood) {
	const what = "likelihood.fidelity"
	tokens := optional(&l.FidelityTokens, func(v *int) field { return p.integer(what, "tokens", v, 0, 1<<12) })
	before := len(p.errs)
	p.mapping(n, what, tokens)
	if len(p.errs) == before && l.FidelityTokens == nil {
		p.fail(n, "%s: tokens: is missing", what)
	}
}

// served reads which of Ollama's models makes the vectors.
func (p *parser) served(n *yaml.Node, to *string) {
	var model string
	before := len(p.errs)
	p.mapping(n, "scoring.embedding", p.text("scoring.embedding", "ollama", &model))
	switch {
	case len(p.errs) > before:
	case model == "":
		p.fail(n, "scoring.embedding: expected {ollama: MODEL} or %s", eval.EmbeddingBuiltin)
	case model == eval.EmbeddingBuiltin:
		p.fail(n, "scoring.embedding: %s names the vectors inside the program; write embedding: %s", model, model)
	default:
		*to = model
	}
}

func (p *parser) emissions(n *yaml.Node, e *eval.Emissions) {
	const what = "emissions"
	p.mapping(n, what,
		p.oneOf(what, "method", &e.Method, "auto", "rapl", "nvml", "estimate", "codecarbon-2.3", "off"),
		p.text(what, "country", &e.Country),
		p.number(what, "pue", &e.PUE, 1, 10),
		p.number(what, "carbon_intensity_g_per_kwh", &e.CarbonIntensity, 0.001, 5000),
		p.text(what, "source", &e.CarbonSource),
		p.number(what, "cpu_tdp_w", &e.CPUTDPW, 1, 100_000),
		p.duration(what, "idle_baseline", &e.IdleBaseline, time.Hour),
		p.text(what, "sysfs", &e.Sysfs),
		p.text(what, "procfs", &e.Procfs),
	)
	// A figure without an origin cannot be checked.
	if n.Kind == yaml.MappingNode && (e.CarbonIntensity > 0) != (e.CarbonSource != "") {
		p.fail(n, "%s: carbon_intensity_g_per_kwh and source (where the figure comes from) go together", what)
	}
}

func (p *parser) models(n *yaml.Node, general eval.Generation) []eval.Model {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		p.fail(n, "models: expected a list of at least one {name, provider, model}, found %s", describe(n))
		return nil
	}
	var out []eval.Model
	lines := make(map[string]int)
	reference := 0
	for _, c := range n.Content {
		m, ladder := p.model(c, general)
		for _, step := range slices.Concat([]eval.Model{m}, ladder) {
			if line, dup := lines[step.Name]; dup && step.Name != "" {
				p.fail(c, "models: the name %q stands on line %d already", step.Name, line)
			}
			lines[step.Name] = c.Line
		}
		if m.Role == eval.RoleReference {
			if reference > 0 {
				p.fail(c, "models: %q is a second reference; the first stands on line %d", m.Name, reference)
			}
			reference = c.Line
		}
		out = append(append(out, m), ladder...)
	}
	return out
}

// model reads one model and the steps of its ladder.
func (p *parser) model(n *yaml.Node, general eval.Generation) (m eval.Model, ladder []eval.Model) {
	m = eval.Model{Role: eval.RoleStudent, Generation: general}
	m.Generation.Stop = slices.Clone(general.Stop)
	role := string(m.Role)
	var kinds []string
	before := len(p.errs)
	p.mapping(n, "model",
		p.text("model", "name", &m.Name),
		p.oneOf("model", "provider", &m.Provider, eval.Providers()...),
		p.text("model", "model", &m.Model),
		p.text("model", "source", &m.Source),
		p.oneOf("model", "rope", &m.Rope, "hf", "meta", "auto"),
		p.texts("model", "quantize", &kinds),
		p.oneOf("model", "role", &role, string(eval.RoleReference), string(eval.RoleStudent)),
		p.text("model", "host", &m.Host),
		field{"generation", func(n *yaml.Node) {
			m.Generation.Stop = nil
			p.generation(n, "model.generation", &m.Generation)
			if m.Generation.Stop == nil {
				m.Generation.Stop = slices.Clone(general.Stop)
			}
		}},
	)
	m.Role = eval.Role(role)
	if len(p.errs) > before {
		return m, nil
	}
	for _, need := range []struct{ key, value string }{{"name", m.Name}, {"provider", m.Provider}, {"model", m.Model}} {
		if need.value == "" {
			p.fail(n, "model %s: %s: is missing", m.Name, need.key)
		}
	}
	return m, p.ladder(n, m, kinds)
}

// ladder makes the steps of a model's quantize, which a server makes of files
// that it is given.
func (p *parser) ladder(n *yaml.Node, m eval.Model, kinds []string) (steps []eval.Model) {
	if (m.Rope != "" || len(kinds) > 0) && m.Provider != eval.ProviderOllama {
		p.fail(n, "model %s: rope and quantize are for models of provider %s, which disteval models pull makes", m.Name, eval.ProviderOllama)
		return nil
	}
	for i, kind := range kinds {
		switch {
		case !slices.Contains(eval.QuantizationKinds(), kind):
			p.fail(n, "model %s: quantize: Ollama does not make %q; it makes %s", m.Name, kind, strings.Join(eval.QuantizationKinds(), ", "))
		case slices.Contains(kinds[:i], kind):
			p.fail(n, "model %s: quantize: %s stands there twice", m.Name, kind)
		default:
			steps = append(steps, m.Step(kind))
		}
	}
	return steps
}
