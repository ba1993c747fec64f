package spec

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/disteval/disteval/emissions/machine"
	"github.com/disteval/disteval/eval"
)

// Type is what a key's value is.
type Type string

const (
	Text     Type = "text"
	Texts    Type = "texts"    // a list of texts
	Word     Type = "word"     // one of Words
	Boolean  Type = "boolean"  // true or false
	Integer  Type = "integer"  // from Min to Max
	Number   Type = "number"   // from Min to Max
	Duration Type = "duration" // such as 10s, from 0 to Max seconds
	Mapping  Type = "mapping"  // of the keys of the section of the same name
	List     Type = "list"     // of mappings with the keys of the section Of
)

// Key is one key of a models file. The keys are what the parser accepts and
// what a schema or a reference of the file is made from.
type Key struct {
	Section  string // the mapping that holds it: file, generation, scoring, embedding, emissions or model
	Name     string
	Type     Type
	Min, Max float64
	Words    []string
	Of       string // the section of a List's items
	Required bool
	Default  string // as YAML; empty where there is none, or where the program's settings give it
	Doc      string // one sentence
}

// Keys lists every key, section by section, in the order in which people write
// them.
func Keys() []Key { return slices.Clone(keys) }

var keys = []Key{
	{Section: "file", Name: "version", Type: Integer, Min: 1, Max: 1, Required: true, Doc: "The version of this format."},
	{Section: "file", Name: "queries", Type: Text, Default: "builtin", Doc: "The set of questions: builtin, or a file (.yaml, .jsonl, .csv) beside this one."},
	{Section: "file", Name: "generation", Type: Mapping, Doc: "How every model generates."},
	{Section: "file", Name: "prompt", Type: Mapping, Doc: "How a query becomes the text that is sent."},
	{Section: "file", Name: "scoring", Type: Mapping, Doc: "How replies are scored."},
	{Section: "file", Name: "emissions", Type: Mapping, Doc: "How energy is metered and turned into carbon dioxide."},
	{Section: "file", Name: "likelihood", Type: Mapping, Doc: "What is asked of the probabilities of answers; off: nothing."},
	{Section: "file", Name: "models", Type: List, Of: "model", Required: true, Doc: "The models to compare, at least one."},

	{Section: "generation", Name: "raw", Type: Boolean, Default: "true", Doc: "Plain completion, without the model's prompt template."},
	{Section: "generation", Name: "temperature", Type: Number, Max: 10, Default: "0", Doc: "0 takes the most probable token each time."},
	{Section: "generation", Name: "repeat_penalty", Type: Number, Min: 0.01, Max: 10, Default: "1", Doc: "1 is none; a server's own default may differ."},
	{Section: "generation", Name: "seed", Type: Integer, Max: math.MaxInt32, Default: "42", Doc: "The seed of a request follows from this, the query and the sample."},
	{Section: "generation", Name: "num_predict", Type: Integer, Min: 1, Max: 1 << 17, Default: "64", Doc: "The most tokens of a reply."},
	{Section: "generation", Name: "num_ctx", Type: Integer, Min: 1, Max: 1 << 21, Default: "128", Doc: "The length of the context in tokens."},
	{Section: "generation", Name: "top_k", Type: Integer, Max: 1 << 20, Doc: "Draw among the most probable tokens only; unset is the server's default."},
	{Section: "generation", Name: "top_p", Type: Number, Max: 1, Doc: "Draw among the tokens that hold this probability; unset is the server's default."},
	{Section: "generation", Name: "num_thread", Type: Integer, Min: 1, Max: 4096, Doc: "Processor threads of the server; unset is its own choice."},
	{Section: "generation", Name: "stop", Type: Texts, Doc: "Texts that end a reply."},
	{Section: "generation", Name: "think", Type: Boolean, Doc: "Whether to reason before the answer, with raw: false; unset is the server's default."},
	{Section: "generation", Name: "samples", Type: Integer, Min: 1, Max: 1000, Default: "1", Doc: "How often every query is asked, of all models alike."},

	{Section: "prompt", Name: "template", Type: Text, Doc: "The text around a query's prompt, which stands in for {{prompt}}."},
	{Section: "prompt", Name: "shots", Type: Integer, Max: 1000, Default: "0", Doc: "Worked examples in front, drawn by seed and query."},
	{Section: "prompt", Name: "examples", Type: Text, Doc: "The file of examples, written as a file of queries; unset is the other queries of the set."},
	{Section: "prompt", Name: "system", Type: Text, Doc: "The message before the prompt, with raw: false."},

	{Section: "scoring", Name: "include_prompt", Type: Boolean, Default: "false", Doc: "Score prompt and reply in place of the reply."},
	{Section: "scoring", Name: "embedding", Type: Word, Words: []string{eval.EmbeddingBuiltin}, Default: eval.EmbeddingBuiltin, Doc: "The vectors of cosine: builtin, {ollama: MODEL}, or {openai: MODEL, host: ADDRESS}."},
	{Section: "embedding", Name: "ollama", Type: Text, Doc: "The embedding model's name in Ollama; this or openai."},
	{Section: "embedding", Name: "openai", Type: Text, Doc: "The embedding model's name behind OpenAI's API."},
	{Section: "embedding", Name: "host", Type: Text, Doc: "The embedding server's address; with openai it must be stated."},
	{Section: "embedding", Name: "api_key_env", Type: Text, Doc: "The environment variable that holds the server's key."},

	{Section: "emissions", Name: "method", Type: Word, Words: machine.Methods(), Default: "auto", Doc: "How energy is found out."},
	{Section: "emissions", Name: "country", Type: Text, Doc: "ISO 3166 alpha-3, for the carbon factor; without it there is no CO2."},
	{Section: "emissions", Name: "pue", Type: Number, Min: 1, Max: 10, Default: "1", Doc: "Power usage effectiveness of the data centre."},
	{Section: "emissions", Name: "carbon_intensity_g_per_kwh", Type: Number, Min: 0.001, Max: 5000, Doc: "The carbon factor, in place of the country's; together with source."},
	{Section: "emissions", Name: "source", Type: Text, Doc: "Where carbon_intensity_g_per_kwh comes from."},
	{Section: "emissions", Name: "cpu_tdp_w", Type: Number, Min: 1, Max: 100_000, Doc: "Thermal design power of all processors in watts, for an estimate."},
	{Section: "emissions", Name: "idle_baseline", Type: Duration, Max: time.Hour.Seconds(), Default: "0s", Doc: "How long to measure the idle machine before the run."},
	{Section: "emissions", Name: "sysfs", Type: Text, Doc: "Where sysfs is mounted."},
	{Section: "emissions", Name: "procfs", Type: Text, Doc: "Where procfs is mounted."},
	{Section: "emissions", Name: "exporters", Type: Texts, Doc: "Addresses of Prometheus exporters to read energy from: node_exporter, DCGM's, Kepler."},

	{Section: "likelihood", Name: "answers", Type: Boolean, Doc: "The bits and ranks of right answers; unset is whatever costs no more than a walk."},
	{Section: "likelihood", Name: "choice", Type: Boolean, Doc: "The choice among the answers of a category; unset is where it is exact."},
	{Section: "likelihood", Name: "fidelity", Type: Mapping, Doc: "How near the models are to the reference, token by token."},
	{Section: "fidelity", Name: "tokens", Type: Integer, Max: 1 << 12, Required: true, Doc: "How many of the first tokens of each of the reference's replies; 0: none."},

	{Section: "model", Name: "name", Type: Text, Required: true, Doc: "As reports call the model; unique in the file."},
	{Section: "model", Name: "provider", Type: Word, Words: eval.Providers(), Required: true, Doc: "Who runs the model."},
	{Section: "model", Name: "model", Type: Text, Required: true, Doc: "As the provider calls it, or a .gguf file beside this one."},
	{Section: "model", Name: "source", Type: Text, Doc: "Where models pull gets it: ollama://NAME, hf://OWNER/REPO, a folder, or a .gguf file."},
	{Section: "model", Name: "rope", Type: Word, Words: []string{"hf", "meta", "auto"}, Doc: "The layout of the source's rotary embeddings: hf where nothing is said; auto finds it out."},
	{Section: "model", Name: "quantize", Type: Texts, Words: eval.QuantizationKinds(), Doc: "A ladder: a model for each of these steps beside the model itself."},
	{Section: "model", Name: "role", Type: Word, Words: []string{string(eval.RoleReference), string(eval.RoleStudent)}, Default: string(eval.RoleStudent), Doc: "One model may be the reference that the others are compared with."},
	{Section: "model", Name: "host", Type: Text, Doc: "The server's address, in place of OLLAMA_HOST; with openai it must be stated."},
	{Section: "model", Name: "api", Type: Word, Words: []string{string(eval.APICompletions), string(eval.APIChat)}, Doc: "Of provider openai: which calls ask; unset follows from raw."},
	{Section: "model", Name: "api_key_env", Type: Text, Doc: "Of provider openai: the environment variable that holds the server's key."},
	{Section: "model", Name: "prompt", Type: Mapping, Doc: "What this model is sent otherwise than the file's prompt says."},
	{Section: "model", Name: "generation", Type: Mapping, Doc: "What this model does otherwise than the file's generation."},
}

// keyOf returns the key of a mapping that errors call what: its section is the
// last part of that.
func keyOf(what, name string) Key {
	section := what[strings.LastIndexByte(what, '.')+1:]
	if what == file {
		section = "file"
	}
	at := slices.IndexFunc(keys, func(k Key) bool { return k.Section == section && k.Name == name })
	if at < 0 {
		panic("models file: no key " + section + "." + name) // a fault of the program, which every test finds
	}
	return keys[at]
}
