package spec

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/disteval/disteval/emissions/exporter"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/queries"
)

// parser reads the document's nodes into a plan.
type parser struct {
	*queries.Strict
}

// mapping is Mapping for whoever has no use for the keys.
func (p *parser) mapping(n *yaml.Node, what string, fields ...queries.Field) {
	p.Mapping(n, what, fields...)
}

// scalar is a field whose value parse turns into a T.
func scalar[T any](p *parser, what, key, expected string, to *T, tags []string, parse func(string) (T, error)) queries.Field {
	return queries.Field{Key: key, Read: func(n *yaml.Node) {
		if v, ok := queries.Scalar(p.Strict, n, what+"."+key, expected, tags, parse); ok {
			*to = v
		}
	}}
}

func (p *parser) text(what, key string, to *string) queries.Field {
	k := keyOf(what, key)
	return queries.Field{Key: k.Name, Read: func(n *yaml.Node) { *to = strings.TrimSpace(p.Text(n, what+"."+key)) }}
}

func (p *parser) oneOf(what, key string, to *string) queries.Field {
	k := keyOf(what, key)
	return queries.Field{Key: k.Name, Read: func(n *yaml.Node) { *to = p.OneOf(n, what+"."+key, k.Words...) }}
}

func (p *parser) boolean(what, key string, to *bool) queries.Field {
	k := keyOf(what, key)
	return queries.Field{Key: k.Name, Read: func(n *yaml.Node) { *to = p.Boolean(n, what+"."+key) }}
}

func (p *parser) integer(what, key string, to *int) queries.Field {
	k := keyOf(what, key)
	return scalar(p, what, key, fmt.Sprintf("a whole number from %.0f to %.0f", k.Min, k.Max), to, []string{"!!int"}, func(s string) (int, error) {
		v, err := strconv.Atoi(s)
		if err == nil && (float64(v) < k.Min || float64(v) > k.Max) {
			err = strconv.ErrRange
		}
		return v, err
	})
}

func (p *parser) number(what, key string, to *float64) queries.Field {
	k := keyOf(what, key)
	return scalar(p, what, key, fmt.Sprintf("a number from %g to %g", k.Min, k.Max), to, []string{"!!int", "!!float"}, func(s string) (float64, error) {
		v, err := strconv.ParseFloat(s, 64)
		if err == nil && (math.IsNaN(v) || v < k.Min || v > k.Max) {
			err = strconv.ErrRange
		}
		return v, err
	})
}

// optional wraps a field whose absence is not its zero value.
func optional[T any](to **T, make func(*T) queries.Field) queries.Field {
	v := new(T)
	f := make(v)
	return queries.Field{Key: f.Key, Read: func(n *yaml.Node) {
		f.Read(n)
		*to = v
	}}
}

func (p *parser) duration(what, key string, to *time.Duration) queries.Field {
	most := time.Duration(keyOf(what, key).Max * float64(time.Second))
	expected := fmt.Sprintf("a duration from 0 to %s, such as 10s", most)
	return scalar(p, what, key, expected, to, []string{"!!str", "!!int"}, func(s string) (time.Duration, error) {
		v, err := time.ParseDuration(s)
		if err == nil && (v < 0 || v > most) {
			err = strconv.ErrRange
		}
		return v, err
	})
}

func (p *parser) texts(what, key string, to *[]string) queries.Field {
	k := keyOf(what, key)
	return queries.Field{Key: k.Name, Read: func(n *yaml.Node) {
		p.List(n, what+"."+key, "texts", true, func(item *yaml.Node) {
			text, _ := queries.Scalar(p.Strict, item, what+"."+key, "text", []string{"!!str"}, func(s string) (string, error) {
				if s == "" {
					return "", strconv.ErrSyntax
				}
				return s, nil
			})
			*to = append(*to, text)
		})
	}}
}

// other is a field that is read in a way of its own.
func (p *parser) other(what, key string, read func(*yaml.Node)) queries.Field {
	return queries.Field{Key: keyOf(what, key).Name, Read: read}
}

// file is what errors call the outermost mapping.
const file = "models file"

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
	general := eval.Model{Generation: eval.DefaultGeneration()}
	var models *yaml.Node
	p.mapping(n, file,
		p.integer(file, "version", &version),
		p.text(file, "queries", &plan.QuerySrc),
		p.other(file, "generation", func(n *yaml.Node) {
			p.generation(n, "generation", &general.Generation, p.integer("generation", "samples", &plan.Samples))
		}),
		p.other(file, "prompt", func(n *yaml.Node) { p.prompt(n, "prompt", &general.Prompting) }),
		p.other(file, "scoring", func(n *yaml.Node) { p.scoring(n, &plan.Scoring) }),
		p.other(file, "emissions", func(n *yaml.Node) { p.emissions(n, &plan.Emissions) }),
		p.other(file, "likelihood", func(n *yaml.Node) { p.likelihood(n, &plan.Likelihood) }),
		p.other(file, "models", func(n *yaml.Node) { models = n }),
	)
	if n.Kind != yaml.MappingNode {
		return plan
	}
	if version == 0 && p.Faults() == 0 {
		p.Fail(n, "models file: version: 1 is missing")
	}
	if models == nil {
		p.Fail(n, "models file: models: is missing; it lists at least one {name, provider, model}")
		return plan
	}
	plan.Models = p.models(models, general)
	return plan
}

func (p *parser) generation(n *yaml.Node, what string, g *eval.Generation, more ...queries.Field) {
	p.mapping(p.withoutRefused(n, what), what, append([]queries.Field{
		p.boolean(what, "raw", &g.Raw),
		p.number(what, "temperature", &g.Temperature),
		p.number(what, "repeat_penalty", &g.RepeatPenalty),
		p.integer(what, "seed", &g.Seed),
		p.integer(what, "num_predict", &g.NumPredict),
		p.integer(what, "num_ctx", &g.NumCtx),
		optional(&g.TopK, func(v *int) queries.Field { return p.integer(what, "top_k", v) }),
		optional(&g.TopP, func(v *float64) queries.Field { return p.number(what, "top_p", v) }),
		optional(&g.NumThread, func(v *int) queries.Field { return p.integer(what, "num_thread", v) }),
		p.texts(what, "stop", &g.Stop),
		optional(&g.Think, func(v *bool) queries.Field { return p.boolean(what, "think", v) }),
	}, more...)...)
}

// withoutRefused says why an option that other programs have is none here, and
// returns the mapping without it.
func (p *parser) withoutRefused(n *yaml.Node, what string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return n
	}
	rest := *n
	rest.Content = nil
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Value == "min_p":
			p.Fail(key, "%s.min_p: not every provider has it, so models would be drawn from in different ways; use top_p", what)
		case key.Value == "seed" && value.Value == "-1":
			p.Fail(value, "%s.seed: -1 asks for another seed each time, and nobody could repeat the run; leave the key out for 42, or ask for generation.samples to see the spread", what)
		default:
			rest.Content = append(rest.Content, key, value)
		}
	}
	return &rest
}

func (p *parser) scoring(n *yaml.Node, s *eval.Scoring) {
	p.mapping(n, "scoring",
		p.boolean("scoring", "include_prompt", &s.IncludePrompt),
		p.other("scoring", "embedding", func(n *yaml.Node) {
			if n.Kind == yaml.MappingNode {
				p.served(n, s)
				return
			}
			p.oneOf("scoring", "embedding", &s.Embedding).Read(n)
		}),
	)
}

// likelihood reads what is asked for beside the answers, or off.
func (p *parser) likelihood(n *yaml.Node, l *eval.Likelihood) {
	const what = "likelihood"
	if n.Kind == yaml.ScalarNode {
		if p.OneOf(n, what, "off") != "" {
			*l = eval.LikelihoodOff()
		}
		return
	}
	p.mapping(n, what,
		optional(&l.Answers, func(v *bool) queries.Field { return p.boolean(what, "answers", v) }),
		optional(&l.Choice, func(v *bool) queries.Field { return p.boolean(what, "choice", v) }),
		p.other(what, "fidelity", func(n *yaml.Node) { p.fidelity(n, l) }),
	)
}

func (p *parser) fidelity(n *yaml.Node, l *eval.Likelihood) {
	const what = "likelihood.fidelity"
	tokens := optional(&l.FidelityTokens, func(v *int) queries.Field { return p.integer(what, "tokens", v) })
	before := p.Faults()
	p.mapping(n, what, tokens)
	if p.Faults() == before && l.FidelityTokens == nil {
		p.Fail(n, "%s: tokens: is missing", what)
	}
}

func (p *parser) emissions(n *yaml.Node, e *eval.Emissions) {
	const what = "emissions"
	p.mapping(n, what,
		p.oneOf(what, "method", &e.Method),
		p.text(what, "country", &e.Country),
		p.number(what, "pue", &e.PUE),
		p.number(what, "carbon_intensity_g_per_kwh", &e.CarbonIntensity),
		p.text(what, "source", &e.CarbonSource),
		p.number(what, "cpu_tdp_w", &e.CPUTDPW),
		p.duration(what, "idle_baseline", &e.IdleBaseline),
		p.text(what, "sysfs", &e.Sysfs),
		p.text(what, "procfs", &e.Procfs),
		p.texts(what, "exporters", &e.Exporters),
	)
	for _, u := range e.Exporters {
		if err := exporter.CheckURL(u); err != nil {
			p.Fail(n, "%s.exporters: %v", what, err)
		}
	}
	if len(e.Exporters) > 0 && e.Method != "auto" && e.Method != "off" {
		p.Fail(n, "%s: method %s beside exporters would read energy twice; use auto", what, e.Method)
	}
	// A figure without an origin cannot be checked.
	if n.Kind == yaml.MappingNode && (e.CarbonIntensity > 0) != (e.CarbonSource != "") {
		p.Fail(n, "%s: carbon_intensity_g_per_kwh and source (where the figure comes from) go together", what)
	}
}

func (p *parser) models(n *yaml.Node, general eval.Model) []eval.Model {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		p.Fail(n, "models: expected a list of at least one {name, provider, model}, found %s", queries.Describe(n))
		return nil
	}
	var out []eval.Model
	lines := make(map[string]int)
	reference := 0
	for _, c := range n.Content {
		m, ladder := p.model(c, general)
		for _, step := range slices.Concat([]eval.Model{m}, ladder) {
			if line, dup := lines[step.Name]; dup && step.Name != "" {
				p.Fail(c, "models: the name %q is already on line %d", step.Name, line)
			}
			lines[step.Name] = c.Line
		}
		if m.Role == eval.RoleReference {
			if reference > 0 {
				p.Fail(c, "models: %q is a second reference; the first is on line %d", m.Name, reference)
			}
			reference = c.Line
		}
		out = append(append(out, m), ladder...)
	}
	return out
}

// model reads one model and the steps of its ladder.
func (p *parser) model(n *yaml.Node, general eval.Model) (m eval.Model, ladder []eval.Model) {
	m = general
	m.Role, m.Generation.Stop = eval.RoleStudent, slices.Clone(general.Generation.Stop)
	role, api := string(m.Role), ""
	var kinds []string
	before := p.Faults()
	p.mapping(n, "model",
		p.text("model", "name", &m.Name),
		p.oneOf("model", "provider", &m.Provider),
		p.text("model", "model", &m.Model),
		p.text("model", "source", &m.Source),
		p.oneOf("model", "rope", &m.Rope),
		p.texts("model", "quantize", &kinds),
		p.oneOf("model", "role", &role),
		p.text("model", "host", &m.Host),
		p.oneOf("model", "api", &api),
		p.keyName("model", &m.APIKeyEnv),
		p.other("model", "prompt", func(n *yaml.Node) { p.prompt(n, "model.prompt", &m.Prompting) }),
		p.other("model", "generation", func(n *yaml.Node) {
			m.Generation.Stop = nil
			p.generation(n, "model.generation", &m.Generation)
			if m.Generation.Stop == nil {
				m.Generation.Stop = slices.Clone(general.Generation.Stop)
			}
		}),
	)
	m.Role, m.API = eval.Role(role), eval.API(api)
	if p.Faults() > before {
		return m, nil
	}
	for _, need := range []struct{ key, value string }{{"name", m.Name}, {"provider", m.Provider}, {"model", m.Model}} {
		if need.value == "" {
			p.Fail(n, "model %s: %s: is missing", m.Name, need.key)
		}
	}
	switch openai := m.Provider == eval.ProviderOpenAI; {
	case openai && m.Host == "":
		p.Fail(n, "model %s: host: is missing: the address of its server, such as http://127.0.0.1:8000/v1", m.Name)
	case !openai && (m.API != "" || m.APIKeyEnv != ""):
		p.Fail(n, "model %s: api and api_key_env are only with provider: openai", m.Name)
	}
	return m, p.ladder(n, m, kinds)
}

// ladder makes the steps of a model's quantize, which a server makes of files
// that it is given.
func (p *parser) ladder(n *yaml.Node, m eval.Model, kinds []string) (steps []eval.Model) {
	if (m.Rope != "" || len(kinds) > 0) && m.Provider != eval.ProviderOllama {
		p.Fail(n, "model %s: rope and quantize are for models of provider %s, which disteval models pull makes", m.Name, eval.ProviderOllama)
		return nil
	}
	for i, kind := range kinds {
		switch {
		case !slices.Contains(eval.QuantizationKinds(), kind):
			p.Fail(n, "model %s: quantize: Ollama does not make %q; it makes %s", m.Name, kind, strings.Join(eval.QuantizationKinds(), ", "))
		case slices.Contains(kinds[:i], kind):
			p.Fail(n, "model %s: quantize: %s appears twice", m.Name, kind)
		default:
			steps = append(steps, m.Step(kind))
		}
	}
	return steps
}
