package spec_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/spec"
)

var defaults = spec.Defaults{Country: "NOR", Sysfs: "/sys", Procfs: "/proc"}

func TestParse(t *testing.T) {
	const file = `
version: 1
queries: builtin
generation: {raw: true, temperature: 0, repeat_penalty: 1.0, seed: 7, num_predict: 32, num_ctx: 128, stop: ["\n"]}
scoring: {include_prompt: true, embedding: {ollama: nomic-embed-text}}
emissions: {method: rapl, country: AUS, pue: 1.2, sysfs: /host/sys, cpu_tdp_w: 270, idle_baseline: 10s}
models:
  - {name: LLaMA-2-7B, provider: ollama, model: "llama2:7b-text", role: reference, generation: {num_ctx: 2048}}
  - {name: tiny, provider: ollama, model: tiny, source: "hf://a/b", host: "http://box:1"}
`
	p, err := spec.Parse([]byte(file), "models.yaml", defaults)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Models) != 2 || p.Models[0].Role != eval.RoleReference || p.Models[1].Role != eval.RoleStudent {
		t.Errorf("models: %+v", p.Models)
	}
	if g := p.Models[0].Generation; g.NumCtx != 2048 || g.Seed != 7 || len(g.Stop) != 1 {
		t.Errorf("a model's own options: %+v", g)
	}
	if g := p.Models[1].Generation; g.NumCtx != 128 || g.NumPredict != 32 {
		t.Errorf("the general options: %+v", g)
	}
	if p.Scoring != (eval.Scoring{IncludePrompt: true, Embedding: "nomic-embed-text"}) {
		t.Errorf("scoring: %+v", p.Scoring)
	}
	if e := p.Emissions; e.Method != "rapl" || e.Country != "AUS" || e.IdleBaseline != 10*time.Second || e.Sysfs != "/host/sys" || e.CPUTDPW != 270 {
		t.Errorf("emissions: %+v", e)
	}
	if len(p.Queries.Queries) == 0 {
		t.Errorf("no queries")
	}
}

// TestServers: models behind OpenAI's API, chats, samples and prompts.
func TestServers(t *testing.T) {
	const file = `
version: 1
generation: {raw: false, temperature: 0.8, samples: 5, think: false}
scoring: {embedding: {openai: e5, host: "http://box:8000", api_key_env: EMBED_KEY}}
prompt: {template: "Q: {{prompt}}\nA:", shots: 3, system: "Answer in one word."}
models:
  - {name: a, provider: openai, host: "http://box:8000/v1", model: m, api: completions, api_key_env: STUDENT_KEY}
  - {name: b, provider: ollama, model: m, prompt: {shots: 0}}
`
	p, err := spec.Parse([]byte(file), "models.yaml", defaults)
	if err != nil {
		t.Fatal(err)
	}
	a, b := p.Models[0], p.Models[1]
	if p.Samples != 5 || a.API != eval.APICompletions || a.APIKeyEnv != "STUDENT_KEY" || a.Generation.Think == nil || *a.Generation.Think {
		t.Errorf("samples %d, model %+v", p.Samples, a)
	}
	want := eval.Prompting{Template: "Q: {{prompt}}\nA:", Shots: 3, System: "Answer in one word."}
	if diff := cmp.Diff(want, a.Prompting); diff != "" {
		t.Error(diff)
	}
	if b.Prompting.Shots != 0 || b.Prompting.Template != want.Template {
		t.Errorf("a model's own prompt: %+v", b.Prompting)
	}
	if s := (eval.Scoring{Embedding: "e5", Provider: "openai", Host: "http://box:8000", APIKeyEnv: "EMBED_KEY"}); p.Scoring != s {
		t.Errorf("scoring %+v", p.Scoring)
	}
}

// TestKeyItself: a key that stands in the file is refused and not repeated.
func TestKeyItself(t *testing.T) {
	_, err := spec.Parse([]byte("version: 1\nmodels: [{name: a, provider: openai, host: x, model: b, api_key_env: sk-s3cret}]"), "m.yaml", defaults)
	if err == nil || !strings.Contains(err.Error(), "environment variable") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%v", err)
	}
}

func TestExamplesBesideTheFile(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"e.jsonl":     `{"id":"x","prompt":"The capital of Peru is","keyword":"Lima"}` + "\n",
		"models.yaml": "version: 1\nprompt: {shots: 1, examples: e.jsonl}\nmodels: [{name: a, provider: builtin, model: b}]",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p, err := spec.Load(filepath.Join(dir, "models.yaml"), defaults)
	if err != nil || len(p.Models[0].Prompting.Examples) != 1 {
		t.Fatalf("%+v, %v", p.Models, err)
	}
	if got := p.Prompt(p.Models[0], p.Queries.Queries[0]); !strings.HasPrefix(got, "The capital of Peru is Lima\n\n") {
		t.Errorf("sent %q", got)
	}
}

func TestDefaults(t *testing.T) {
	p, err := spec.Parse([]byte("version: 1\nmodels: [{name: a, provider: builtin, model: mini-baby}]"), "m.yaml", defaults)
	if err != nil {
		t.Fatal(err)
	}
	g := p.Models[0].Generation
	if !g.Raw || g.Temperature != 0 || g.RepeatPenalty != 1 || g.NumPredict != 64 || g.NumCtx != 128 {
		t.Errorf("generation: %+v", g)
	}
	if p.Emissions.Country != "NOR" || p.Emissions.Method != "auto" || p.Emissions.PUE != 1 || p.Scoring.Embedding != "builtin" {
		t.Errorf("emissions %+v, scoring %+v", p.Emissions, p.Scoring)
	}
}

func TestQueriesBesideTheFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("q.jsonl", `{"id":"a","prompt":"P","keyword":"K"}`+"\n")
	write("models.yaml", "version: 1\nqueries: q.jsonl\nmodels: [{name: a, provider: builtin, model: b}]")
	p, err := spec.Load(filepath.Join(dir, "models.yaml"), defaults)
	if err != nil || len(p.Queries.Queries) != 1 {
		t.Errorf("%d queries, %v", len(p.Queries.Queries), err)
	}
}

// TestModelsKnowTheirFolder: a provider looks for a model's file beside the
// models file.
func TestModelsKnowTheirFolder(t *testing.T) {
	p, err := spec.Parse([]byte("version: 1\nmodels: [{name: a, provider: builtin, model: ./my.gguf}]"), "conf/models.yaml", defaults)
	if err != nil || p.Models[0].Dir != "conf" || p.Models[0].Model != "./my.gguf" {
		t.Errorf("%+v, %v", p.Models, err)
	}
}

// TestLadder: quantize makes one model of each step beside the model itself.
func TestLadder(t *testing.T) {
	p, err := spec.Parse([]byte(`version: 1
models:
  - {name: s, provider: ollama, model: "own/my:latest", source: ./my, rope: auto, quantize: [q8_0, q4_K_M], role: reference}
  - {name: t, provider: ollama, model: "my:v1", quantize: [q4_K_S]}`), "models.yaml", defaults)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"s own/my:latest reference", "s q8_0 own/my:q8_0 student", "s q4_K_M own/my:q4_K_M student", "t my:v1 student", "t q4_K_S my:v1-q4_K_S student"}
	for i, m := range p.Models {
		if got := m.Name + " " + m.Model + " " + string(m.Role); i >= len(want) || got != want[i] {
			t.Errorf("model %d is %s, want %v", i, got, want)
		}
	}
	if m := p.Models[1]; m.Rope != "auto" || m.Base != "s" || m.Quantize != "q8_0" || m.Source != "./my" {
		t.Errorf("a step is %+v", m)
	}
}

func TestRefuses(t *testing.T) {
	const models = "\nmodels: [{name: a, provider: builtin, model: b}]"
	bomb := "version: 1\na: &a [x,x,x,x,x,x,x,x,x]\n"
	for prev, name := 'a', 'b'; name < 'k'; prev, name = name, name+1 {
		bomb += string(name) + ": &" + string(name) + " [" + strings.TrimSuffix(strings.Repeat("*"+string(prev)+",", 9), ",") + "]\n"
	}
	tests := []struct {
		name, file string
		line       int
		want       string
	}{
		{"empty", "", 0, "empty"},
		{"only a comment", "# nothing\n", 0, "empty"},
		{"a list", "- a\n", 1, "expected a mapping"},
		{"not YAML", "version: 1\n\tmodels: x", 2, "not valid YAML"},
		{"a quantisation that Ollama does not make", "version: 1\nmodels: [{name: a, provider: ollama, model: b, quantize: [q8_0, q5_0]}]", 2, `does not make "q5_0"; it makes q8_0, q4_K_M, q4_K_S`},
		{"a step twice", "version: 1\nmodels: [{name: a, provider: ollama, model: b, quantize: [q8_0, q8_0]}]", 2, "q8_0 appears twice"},
		{"a step's name taken", "version: 1\nmodels: [{name: a, provider: ollama, model: b, quantize: [q8_0]}, {name: a q8_0, provider: builtin, model: b}]", 2, `the name "a q8_0" is already on line 2`},
		{"a layout of no kind", "version: 1\nmodels: [{name: a, provider: ollama, model: b, rope: neox}]", 2, "one of hf, meta, auto"},
		{"a ladder in this process", "version: 1\nmodels: [{name: a, provider: builtin, model: b, quantize: [q8_0]}]", 2, "for models of provider ollama"},
		{"no embedding model", "version: 1\nscoring: {embedding: {}}" + models, 2, "expected {ollama: MODEL}"},
		{"a server's embedding called builtin", "version: 1\nscoring: {embedding: {ollama: builtin}}" + models, 2, "write embedding: builtin"},
		{"no version", strings.TrimPrefix(models, "\n"), 1, "version"},
		{"another version", "version: 2" + models, 1, "from 1 to 1"},
		{"no models", "version: 1\n", 1, "models: is missing"},
		{"no model", "version: 1\nmodels: []", 2, "at least one"},
		{"unknown key", "version: 1\nmodel: x" + models, 2, `unknown key "model"`},
		{"unknown key of a model", "version: 1\nmodels:\n  - {name: a, provider: builtin, model: b}\n  - {name: c, provider: builtin, modle: d}", 4, `unknown key "modle"`},
		{"duplicate key", "version: 1\nversion: 1" + models, 2, "is already on line 1"},
		{"wrong type", "version: 1\ngeneration: {seed: high}" + models, 2, "generation.seed: expected a whole number"},
		{"a quoted number", "version: 1\ngeneration: {seed: \"1\"}" + models, 2, "generation.seed"},
		{"a seed for nobody", "version: 1\ngeneration: {seed: -1}" + models, 2, "nobody could repeat the run"},
		{"min_p", "version: 1\ngeneration: {top_k: 5, min_p: 0.1}" + models, 2, "use top_p"},
		{"not a number", "version: 1\ngeneration: {temperature: .nan}" + models, 2, "generation.temperature"},
		{"out of range", "version: 1\ngeneration: {top_p: 3}" + models, 2, "from 0 to 1"},
		{"duplicate name", "version: 1\nmodels:\n  - {name: a, provider: builtin, model: b}\n  - {name: a, provider: builtin, model: c}", 4, `"a" is already on line 3`},
		{"two references", "version: 1\nmodels:\n  - {name: a, provider: builtin, model: b, role: reference}\n  - {name: c, provider: builtin, model: c, role: reference}", 4, "second reference"},
		{"no provider", "version: 1\nmodels: [{name: a, model: b}]", 2, "provider: is missing"},
		{"unknown provider", "version: 1\nmodels: [{name: a, provider: vllm, model: b}]", 2, "one of ollama, openai, builtin"},
		{"openai without a host", "version: 1\nmodels: [{name: a, provider: openai, model: b}]", 2, "host: is missing"},
		{"api of Ollama", "version: 1\nmodels: [{name: a, provider: ollama, model: b, api: chat}]", 2, "only with provider: openai"},
		{"a template without its slot", "version: 1\nprompt: {template: \"Q: \"}" + models, 2, "{{prompt}} once"},
		{"a template with two", "version: 1\nprompt: {template: \"{{prompt}} {{prompt}}\"}" + models, 2, "{{prompt}} once"},
		{"examples without shots", "version: 1\nprompt: {examples: e.jsonl}" + models, 2, "prompt.shots"},
		{"no samples", "version: 1\ngeneration: {samples: 0}" + models, 2, "from 1 to"},
		{"samples of a model", "version: 1\nmodels: [{name: a, provider: builtin, model: b, generation: {samples: 2}}]", 2, "unknown key \"samples\""},
		{"embedding by two", "version: 1\nscoring: {embedding: {ollama: a, openai: b}}" + models, 2, "one of ollama and openai"},
		{"embedding by openai nowhere", "version: 1\nscoring: {embedding: {openai: b}}" + models, 2, "host: is missing"},
		{"exporter without a scheme", "version: 1\nemissions: {exporters: [\"gpu1:9100\"]}" + models, 2, "not an address"},
		{"exporter with a login", "version: 1\nemissions: {exporters: [\"http://me:secret@gpu1:9100\"]}" + models, 2, "DISTEVAL_EXPORTER_LOGIN"},
		{"exporters beside rapl", "version: 1\nemissions: {method: rapl, exporters: [\"http://gpu1:9100\"]}" + models, 2, "twice"},
		{"factor without source", "version: 1\nemissions: {carbon_intensity_g_per_kwh: 400}" + models, 2, "go together"},
		{"alias", "version: 1\nqueries: &q builtin\ngeneration: *q" + models, 3, "a reference to an anchor"},
		{"a slip of the pen", "version: 1\nquerys: builtin" + models, 2, `did you mean "queries"?`},
		{"not UTF-8", "version: 1\nqueries: \xe9" + models, 2, "byte 0xe9 is not UTF-8"},
		{"a second document", "version: 1" + models + "\n---\nversion: 1" + models, 3, "second YAML document"},
		{"alias bomb", bomb + "models: *j", 2, "unknown key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Now()
			_, err := spec.Parse([]byte(tt.file), "models.yaml", defaults)
			var e *spec.Error
			if !errors.As(err, &e) {
				t.Fatalf("Parse = %v, want a *spec.Error", err)
			}
			if e.Line != tt.line || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("line %d: %v; want line %d and %q", e.Line, err, tt.line, tt.want)
			}
			if time.Since(start) > time.Second {
				t.Errorf("took %v", time.Since(start))
			}
		})
	}
}

func TestEveryErrorOfAFileAtOnce(t *testing.T) {
	_, err := spec.Parse([]byte("version: 1\nfoo: 1\ngeneration: {seed: x}\nmodels: [{name: a}]"), "m.yaml", defaults)
	for _, want := range []string{"m.yaml:2", "m.yaml:3", "m.yaml:4"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

func TestLongFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "models.yaml")
	if err := os.WriteFile(path, []byte(strings.Repeat("# ten megabytes\n", 10<<20/16)), 0o644); err != nil {
		t.Fatal(err)
	}
	var e *spec.Error
	if _, err := spec.Load(path, defaults); !errors.As(err, &e) || !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Errorf("a file of 10 MB: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("version: 1\nmodels: [{name: a, provider: builtin, model: b}]")
	f.Add("version: 1\ngeneration: {stop: [a], top_k: 1}\nscoring: {embedding: {ollama: x}}\nmodels:\n- &a {name: a}\n- *a")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := spec.Parse([]byte(text), "m.yaml", defaults)
		if err == nil && len(p.Models) == 0 {
			t.Errorf("a plan without models from %q", text)
		}
	})
}
