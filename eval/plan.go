package eval

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/disteval/disteval/queries"
)

// Providers of models.
const (
	ProviderOllama  = "ollama"
	ProviderOpenAI  = "openai"
	ProviderBuiltin = "builtin"
)

// Providers lists them.
func Providers() []string { return []string{ProviderOllama, ProviderOpenAI, ProviderBuiltin} }

// Role is a model's part in the comparison.
type Role string

const (
	RoleReference Role = "reference" // what the others are compared with; one per plan
	RoleStudent   Role = "student"
)

// Plan is what a run does, complete and fixed before the first question.
// A Plan is never changed after Resolve; the record of a run holds it whole.
type Plan struct {
	Queries    queries.Set
	QuerySrc   string // as models.yaml names it: builtin, or a path
	Models     []Model
	Scoring    Scoring
	Emissions  Emissions
	Likelihood Likelihood
	Source     string // the models file, or builtin
	Parallel   int    // requests in flight per model host, at least 1
	Samples    int    // how often every query is asked, at least 1; 0 of an older record is 1
	Rules      int    // of seeds and hash: RulesNow, or those of the version that began the run
}

// Versions of what a plan asks and how it is hashed. A run keeps the rules
// that it began with, so that an older one can still be resumed and checked.
const (
	// RulesFirst gave every request the plan's seed. A record without rules
	// follows these.
	RulesFirst = 0
	// RulesNow derive the seed of a request from seed, query and sample.
	RulesNow = 1
)

// Generation holds every option that decides what a model answers.
// An option at its zero value that says "unset" below is not sent.
type Generation struct {
	Raw           bool     `json:"raw"`            // no prompt template: plain completion
	Temperature   float64  `json:"temperature"`    // 0 is greedy
	RepeatPenalty float64  `json:"repeat_penalty"` // 1.0 is none; a server's own default may differ
	Seed          int      `json:"seed"`
	NumPredict    int      `json:"num_predict"`          // most tokens of a reply
	NumCtx        int      `json:"num_ctx"`              // context length in tokens
	TopK          *int     `json:"top_k,omitempty"`      // unset: the server's default; of no effect at temperature 0
	TopP          *float64 `json:"top_p,omitempty"`      // (0,1]; as top_k
	NumThread     *int     `json:"num_thread,omitempty"` // CPU threads of the server; unset: the server's choice
	Stop          []string `json:"stop,omitempty"`       // texts that end a reply
	Think         *bool    `json:"think,omitempty"`      // whether to reason before the answer; chat only; unset: the server's default
}

// DefaultGeneration is greedy raw completion of at most 64 tokens.
func DefaultGeneration() Generation {
	return Generation{Raw: true, Temperature: 0, RepeatPenalty: 1.0, Seed: 42, NumPredict: 64, NumCtx: 128}
}

// Scoring says how replies are scored. It does not change what is asked, so it
// is not part of the plan's hash.
type Scoring struct {
	IncludePrompt bool   `json:"include_prompt"` // score prompt + reply instead of the reply
	Embedding     string `json:"embedding"`      // builtin, or an embedding model's name as its server knows it

	// Of an embedding model.
	Provider  string `json:"embedding_provider,omitempty"` // empty: ollama
	Host      string `json:"embedding_host,omitempty"`     // empty: the provider's default
	APIKeyEnv string `json:"embedding_api_key_env,omitempty"`
}

// EmbeddingBuiltin names the word vectors inside the program.
const EmbeddingBuiltin = "builtin"

// Emissions says how energy is metered and turned into carbon dioxide.
type Emissions struct {
	Method          string        `json:"method"`           // auto, off or the name of a source
	Country         string        `json:"country"`          // ISO 3166 alpha-3; empty: no factor, no CO2
	PUE             float64       `json:"pue"`              // power usage effectiveness, at least 1
	CarbonIntensity float64       `json:"carbon_intensity"` // g CO2e per kWh, 0: by Country
	CarbonSource    string        `json:"carbon_source"`    // where CarbonIntensity comes from
	CPUTDPW         float64       `json:"cpu_tdp_w"`        // watts of all sockets, 0: unknown
	IdleBaseline    time.Duration `json:"idle_baseline"`    // measured before the run; 0: not at all
	Sysfs           string        `json:"sysfs"`
	Procfs          string        `json:"procfs"`
	Exporters       []string      `json:"exporters,omitempty"` // addresses of Prometheus exporters to read energy from; no login in them
}

// Model is one model of a plan. The fields from Digest on are found by
// preflight and empty before it.
type Model struct {
	Name       string     `json:"name"`     // as reports call it; unique in the plan
	Provider   string     `json:"provider"` // one of Providers
	Model      string     `json:"model"`    // as the provider calls it
	Source     string     `json:"source,omitempty"`
	Rope       string     `json:"rope,omitempty"`     // how Source has its q and k: hf, meta or auto; empty: hf
	Base       string     `json:"base,omitempty"`     // Name of the model that this is a quantisation of; empty: of none
	Quantize   string     `json:"quantize,omitempty"` // which, as QuantizationKinds names it
	Role       Role       `json:"role"`
	Host       string     `json:"host,omitempty"`        // the server's address, without credentials once resolved; empty: this process
	API        API        `json:"api,omitempty"`         // how the server is asked; empty before preflight: by Generation.Raw
	APIKeyEnv  string     `json:"api_key_env,omitempty"` // the environment variable that holds the server's key; empty: none
	Dir        string     `json:"-"`                     // where a file that Model names is looked for; Resolve makes Model complete
	Generation Generation `json:"generation"`
	Prompting  Prompting  `json:"prompting,omitzero"`

	Digest          string `json:"digest,omitempty"`           // of the weights and settings, as the provider states it
	ProviderVersion string `json:"provider_version,omitempty"` // such as ollama 0.17.4
	Template        string `json:"template,omitempty"`         // the prompt template, where Raw is off
	Parameters      string `json:"parameters,omitempty"`       // as the provider states it, such as 58.34M
	Quantization    string `json:"quantization,omitempty"`
	ContextLength   int    `json:"context_length,omitempty"` // positions the model has; 0: not stated
	SizeBytes       int64  `json:"size_bytes,omitempty"`
	Notice          string `json:"notice,omitempty"` // what every report on this model must say of it

	Capabilities Capabilities `json:"capabilities"`
}

// Served reports whether a server answers for a resolved model; otherwise this
// process does.
func (m Model) Served() bool { return m.Host != "" }

// QuantizationKinds lists the quantisations that an Ollama server makes of an
// F32 or F16 model.
func QuantizationKinds() []string { return []string{"q8_0", "q4_K_M", "q4_K_S"} }

// Step is the model as one step of its ladder of quantisations: NAME KIND,
// served as the tag KIND of the model; behind a tag that the model has
// already, as TAG-KIND.
func (m Model) Step(kind string) Model {
	step := m
	step.Name, step.Base, step.Quantize = m.Name+" "+kind, m.Name, kind
	name, tag, tagged := strings.Cut(m.Model[strings.LastIndex(m.Model, "/")+1:], ":")
	step.Model = m.Model[:strings.LastIndex(m.Model, "/")+1] + name + ":"
	if tagged && tag != "latest" {
		step.Model += tag + "-"
	}
	step.Model += kind
	step.Role = RoleStudent
	step.Generation.Stop = slices.Clone(m.Generation.Stop)
	return step
}

// ContextError means that a model has fewer positions than the plan wants.
type ContextError struct {
	Model Model
	Has   int // positions
}

// Hint says what fits.
func (e *ContextError) Hint() string {
	return fmt.Sprintf("set num_ctx to at most %d under generation: (of the file or of this model)", e.Has)
}

// BadInput marks the models file as wrong.
func (e *ContextError) BadInput() {}

func (e *ContextError) Error() string {
	return fmt.Sprintf("check model %s (%s): num_ctx is %d, but it has %d positions",
		e.Model.Name, e.Model.Model, e.Model.Generation.NumCtx, e.Has)
}

// API is how a server is asked.
type API string

const (
	APICompletions API = "completions" // a text is completed as it stands, or through the model's template
	APIChat        API = "chat"        // messages are answered, through the model's template
)

// Reference returns the model that the others are compared with, or nil.
func (p Plan) Reference() *Model {
	for i := range p.Models {
		if p.Models[i].Role == RoleReference {
			return &p.Models[i]
		}
	}
	return nil
}

// Requests is the number of questions the whole plan asks.
func (p Plan) Requests() int { return len(p.Models) * p.RequestsPerModel() }

// RequestsPerModel is the number of questions to one model.
func (p Plan) RequestsPerModel() int { return len(p.Queries.Queries) * p.samples() }

func (p Plan) samples() int { return max(1, p.Samples) }

// Jobs lists every question to m in the order in which they are asked: query
// after query, the samples of each together.
func (p Plan) Jobs(m Model) []Job {
	jobs := make([]Job, 0, p.RequestsPerModel())
	for _, q := range p.Queries.Queries {
		for sample := range p.samples() {
			jobs = append(jobs, Job{ID: JobID{Model: m.Name, Query: q.ID, Sample: sample}, Request: p.Request(m, q, sample)})
		}
	}
	return jobs
}

// Request is what m is asked for one sample of q.
func (p Plan) Request(m Model, q queries.Query, sample int) Request {
	r := Request{Prompt: p.Prompt(m, q), System: m.Prompting.System, Seed: m.Generation.Seed}
	if r.Tokens = p.KeptTokens(m); r.Tokens > 0 {
		r.Logprobs = m.Capabilities.Logprobs
		if m.Capabilities.Continuations && !m.Served() {
			r.Logprobs = 1 // the predictions themselves can be had again
		}
	}
	if p.Rules >= RulesNow {
		r.Seed = requestSeed(m.Generation.Seed, q.ID, sample)
	}
	return r
}

// requestSeed makes the draws of different queries and samples independent:
// the first 31 bits of the SHA-256 of "SEED QUERY SAMPLE", where SEED and
// SAMPLE are decimal and QUERY is quoted as Go quotes a string. With one seed
// for all, every reply would share its first draw.
func requestSeed(seed int, query string, sample int) int {
	b := make([]byte, 0, 64)
	b = append(strconv.AppendInt(b, int64(seed), 10), ' ')
	b = append(strconv.AppendQuote(b, query), ' ')
	sum := sha256.Sum256(strconv.AppendInt(b, int64(sample), 10))
	return int(binary.BigEndian.Uint32(sum[:]) >> 1)
}

// Fact is one thing that decides what the models answer.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Facts lists all that the plan's hash covers, in a fixed order and by the
// plan's rules: the queries by content, how often and with which seeds they are
// asked, and per model its digest, provider, options and template.
func (p Plan) Facts() []Fact {
	facts := []Fact{{"queries", fmt.Sprintf("%d, sha256 %s", len(p.Queries.Queries), p.Queries.SHA256())}}
	if p.Rules >= RulesNow {
		facts = append(facts, Fact{"seed of a request", "from seed, query and sample"}, Fact{"samples", strconv.Itoa(p.samples())})
	}
	for _, m := range p.Models {
		add := func(name, value string) {
			facts = append(facts, Fact{"model " + m.Name + " " + name, value})
		}
		g := m.Generation
		add("provider", strings.TrimSpace(m.Provider+" "+m.ProviderVersion))
		add("model", m.Model)
		add("digest", m.Digest)
		add("raw", strconv.FormatBool(g.Raw))
		add("template", m.Template)
		add("temperature", formatFloat(g.Temperature))
		add("repeat_penalty", formatFloat(g.RepeatPenalty))
		add("seed", strconv.Itoa(g.Seed))
		add("num_predict", strconv.Itoa(g.NumPredict))
		add("num_ctx", strconv.Itoa(g.NumCtx))
		add("top_k", formatUnset(g.TopK, strconv.Itoa))
		add("top_p", formatUnset(g.TopP, formatFloat))
		add("num_thread", formatUnset(g.NumThread, strconv.Itoa))
		add("stop", strconv.Quote(strings.Join(g.Stop, "\x00")))
		// What an older version did not have is a fact where it is stated.
		if g.Think != nil {
			add("think", strconv.FormatBool(*g.Think))
		}
		if m.API == APIChat {
			add("api", string(m.API))
		}
		for _, f := range m.Prompting.facts() {
			add(f.Name, f.Value)
		}
	}
	return facts
}

// Hash identifies what the plan asks of whom and how, in hexadecimal.
func (p Plan) Hash() string {
	h := sha256.New()
	for _, f := range p.Facts() {
		fmt.Fprintf(h, "%d:%s%d:%s", len(f.Name), f.Name, len(f.Value), f.Value)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Differences names what stands otherwise in b than in a, one line each.
func Differences(a, b []Fact) []string {
	before := make(map[string]string, len(a))
	for _, f := range a {
		before[f.Name] = f.Value
	}
	var out []string
	for _, f := range b {
		was, known := before[f.Name]
		delete(before, f.Name)
		switch {
		case !known:
			out = append(out, fmt.Sprintf("%s: now %s, not there before", f.Name, f.Value))
		case was != f.Value:
			out = append(out, fmt.Sprintf("%s: was %s, now %s", f.Name, was, f.Value))
		}
	}
	for _, f := range a {
		if _, left := before[f.Name]; left {
			out = append(out, fmt.Sprintf("%s: was %s, now gone", f.Name, f.Value))
		}
	}
	return out
}

func formatFloat(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

func formatUnset[T any](v *T, format func(T) string) string {
	if v == nil {
		return "unset"
	}
	return format(*v)
}
