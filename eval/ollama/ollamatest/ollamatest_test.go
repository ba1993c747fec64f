package ollamatest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ollama/ollama/fs/ggml"
)

func TestParameters(t *testing.T) {
	for _, test := range []struct {
		name  string
		shape Shape
		want  int
	}{
		{"baby-llama-58m", BabyLlama58M, 58_343_936},
		{"DistilLlama", DistilLlama, 87_310_848},
		{"tiny", Tiny, 146_240},
	} {
		if got := test.shape.Parameters(); got != test.want {
			t.Errorf("%s: Parameters() = %d, want %d", test.name, got, test.want)
		}
	}
}

func TestRandomLLaMA(t *testing.T) {
	path := WriteModel(t, Tiny)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	model, err := ggml.Decode(f, -1)
	if err != nil {
		t.Fatal(err)
	}
	if got := int(model.KV().ParameterCount()); got != Tiny.Parameters() {
		t.Errorf("the file holds %d parameters, want %d", got, Tiny.Parameters())
	}
	if got := model.KV().ContextLength(); got != uint64(Tiny.Context) {
		t.Errorf("context length %d, want %d", got, Tiny.Context)
	}
	pieces := model.KV().Strings("tokenizer.ggml.tokens")
	if len(pieces) != Tiny.Vocab {
		t.Errorf("%d tokens, want %d", len(pieces), Tiny.Vocab)
	}
	seen := map[string]bool{}
	for _, p := range pieces {
		if seen[p] {
			t.Errorf("token %q appears twice", p)
		}
		seen[p] = true
	}

	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := os.ReadFile(WriteModel(t, Tiny))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, again) {
		t.Error("the same shape gave another file")
	}
}

func TestRandomLLaMARefusesShape(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/model.gguf")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, change := range map[string]func(*Shape){
		"no layer":         func(s *Shape) { s.Layers = 0 },
		"odd head":         func(s *Shape) { s.Heads = 64 },
		"small vocabulary": func(s *Shape) { s.Vocab = MinVocab - 1 },
	} {
		shape := Tiny
		change(&shape)
		if err := RandomLLaMA(f, shape); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// answer is what /api/generate says at the end.
type answer struct {
	Response        string
	Done            bool
	DoneReason      string `json:"done_reason"`
	PromptEvalCount int    `json:"prompt_eval_count"`
	EvalCount       int    `json:"eval_count"`
}

func ask(t *testing.T, s *Server, model, prompt string) answer {
	t.Helper()
	request, err := json.Marshal(map[string]any{
		"model": model, "prompt": prompt, "raw": true, "stream": false,
		"options": map[string]any{"temperature": 0, "repeat_penalty": 1.0, "seed": 42, "num_predict": 64, "num_ctx": 128},
	})
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Post(s.URL+"/api/generate", "application/json", bytes.NewReader(request))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("ask %s: %s", model, response.Status)
	}
	var a answer
	if err := json.NewDecoder(response.Body).Decode(&a); err != nil {
		t.Fatal(err)
	}
	return a
}

var prompts = []string{
	"The capital of France is",
	"The planet known as the Red Planet is",
	"The currency of Japan is",
	"The author of To Kill a Mockingbird is",
}

func TestServerAnswers(t *testing.T) {
	s := Start(t)
	for name, shape := range map[string]Shape{"tiny": Tiny, "baby-llama-58m": BabyLlama58M, "distilllama": DistilLlama} {
		t.Run(name, func(t *testing.T) {
			s.CreateRandom(t, name, shape)
			replies := map[string]string{}
			different := map[string]bool{}
			for _, p := range prompts {
				a := ask(t, s, name, p)
				checkAnswer(t, p, a)
				replies[p] = a.Response
				different[a.Response] = true
			}
			again := slices.Clone(prompts)
			slices.Reverse(again) // so that the server finds other shared beginnings
			for _, p := range append(again, prompts[0]) {
				if a := ask(t, s, name, p); a.Response != replies[p] {
					t.Errorf("%q: asked again, answered\n%q, not\n%q", p, a.Response, replies[p])
				}
			}
			if len(different) != len(prompts) {
				t.Errorf("%d prompts have only %d different replies", len(prompts), len(different))
			}
		})
	}
}

// checkAnswer wants a whole answer of readable and varied text.
func checkAnswer(t *testing.T, prompt string, a answer) {
	t.Helper()
	t.Logf("%q (%d tokens): %q, %s after %d", prompt, a.PromptEvalCount, a.Response, a.DoneReason, a.EvalCount)
	if !a.Done || a.DoneReason != "stop" && a.DoneReason != "length" {
		t.Errorf("%q: done %v, done_reason %q", prompt, a.Done, a.DoneReason)
	}
	if a.PromptEvalCount == 0 || a.EvalCount == 0 {
		t.Errorf("%q: no token counts: %+v", prompt, a)
	}
	if !utf8.ValidString(a.Response) || strings.ContainsRune(a.Response, utf8.RuneError) {
		t.Errorf("%q: reply is no UTF-8: %q", prompt, a.Response)
	}
	letters := map[rune]bool{}
	for _, r := range a.Response {
		letters[r] = true
	}
	if a.EvalCount > 20 && len(letters) < 8 {
		t.Errorf("%q: reply says the same all over: %q", prompt, a.Response)
	}
}

func TestStop(t *testing.T) {
	s := Start(t)
	s.Stop()
	if _, err := http.Get(s.URL + "/api/version"); err == nil {
		t.Error("the server answers after Stop")
	}
}
