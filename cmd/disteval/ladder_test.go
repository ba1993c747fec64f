package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval/ollama/ollamatest"
)

const ladderModels = `version: 1
generation: {num_predict: 4, num_ctx: 128, num_thread: 1}
likelihood: "off"
emissions: {method: estimate, cpu_tdp_w: 85}
models:
  - {name: student, provider: ollama, model: my-student, source: %s, quantize: [q8_0, q4_K_M, q4_K_S], role: reference}
`

// TestLadderOnARealOllama makes three quantisations of a model of the published
// student's shape, shows their sizes, asks all, and reports what each keeps.
func TestLadderOnARealOllama(t *testing.T) {
	server := ollamatest.Start(t)
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "models.yaml"), strings.Replace(ladderModels, "%s", ollamatest.WriteModel(t, ollamatest.DistilLlama), 1))
	command := func(args ...string) string {
		t.Helper()
		cmd := program(t, dir, []string{"OLLAMA_HOST=" + server.Host, "XDG_CACHE_HOME=" + filepath.Join(dir, "cache")}, args...)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	pulled := command("models", "pull", "--models", "models.yaml")
	for _, want := range []string{"prompts as its source does", "my-student:q8_0 made of my-student", "my-student:q4_K_M made of", "my-student:q4_K_S made of"} {
		if !strings.Contains(pulled, want) {
			t.Errorf("%q is missing in\n%s", want, pulled)
		}
	}
	if listed := command("models", "list", "--models", "models.yaml"); strings.Count(listed, " MB ") != 4 || !strings.Contains(listed, "Q4_K_M") {
		t.Errorf("models list says\n%s", listed)
	}
	command("run", "--models", "models.yaml", "--limit", "6")
	raw, err := os.ReadFile(filepath.Join(onlyRun(t, dir), "summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Ladders []struct {
			Base  string `json:"base"`
			Steps []struct {
				Model     string   `json:"model"`
				SizeShare *float64 `json:"size_share"`
				Wh        *float64 `json:"wh_per_1000_queries"`
				Lost      *int     `json:"right_to_wrong"`
			} `json:"steps"`
			Sentences []string `json:"sentences"`
		} `json:"ladders"`
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Ladders) != 1 || len(s.Ladders[0].Steps) != 4 || len(s.Ladders[0].Sentences) != 3 {
		t.Fatalf("%+v", s)
	}
	last := 1.01
	for i, step := range s.Ladders[0].Steps {
		if step.SizeShare == nil || *step.SizeShare >= last || step.Wh == nil || (step.Lost == nil) != (i == 0) {
			t.Errorf("step %d: %+v", i, step)
			continue
		}
		last = *step.SizeShare
	}
}
