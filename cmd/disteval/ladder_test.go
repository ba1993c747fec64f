package main_test

import (
	"encoding/json"
	"math"
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
	command("run", "--models", "models.yaml", "--limit", "3")
	last := 1.01
	for i, step := range readLadder(t, onlyRun(t, dir)).Steps {
		if step.SizeShare == nil || *step.SizeShare >= last || step.Wh == nil || (step.Lost == nil) != (i == 0) {
			t.Errorf("step %d: %+v", i, step)
			continue
		}
		last = *step.SizeShare
	}
}

// ladder is what summary.json has of one with three steps.
type ladder struct {
	Base  string `json:"base"`
	Steps []struct {
		Model      string   `json:"model"`
		SizeShare  *float64 `json:"size_share"`
		Wh         *float64 `json:"wh_per_1000_queries"`
		Kept       *float64 `json:"kept"`
		Lost       *int     `json:"right_to_wrong"`
		Won        *int     `json:"wrong_to_right"`
		EM         mean     `json:"em"`
		AnswerBits mean     `json:"answer_bits"`
		Fidelity   *struct {
			Tokens   int  `json:"tokens"`
			SameTop1 mean `json:"same_top1"`
			KLD      mean `json:"kld"`
		} `json:"fidelity"`
	} `json:"steps"`
	Sentences []string `json:"sentences"`
}

type mean struct {
	N    int      `json:"n"`
	Mean *float64 `json:"mean"`
}

func readLadder(t *testing.T, run string) ladder {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(run, "summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s struct{ Ladders []ladder }
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Ladders) != 1 || len(s.Ladders[0].Steps) != 4 || len(s.Ladders[0].Sentences) != 3 {
		t.Fatalf("%+v", s)
	}
	return s.Ladders[0]
}

const teacherLadder = `version: 1
generation: {num_predict: 8, num_ctx: 128, num_thread: 1}
likelihood: {answers: true, fidelity: {tokens: 4}}
emissions: {method: estimate, cpu_tdp_w: 85}
models:
  - {name: teacher, provider: ollama, model: mini-teacher, source: %s, quantize: [q8_0, q4_K_M, q4_K_S], role: reference}
`

// TestLadderOfATrainedModel quantises mini-teacher, which knows answers: each
// step has its answer bits, its fidelity to the model itself and its flips.
func TestLadderOfATrainedModel(t *testing.T) {
	server := ollamatest.Start(t)
	dir := t.TempDir()
	source, err := filepath.Abs("../../eval/builtin/models/mini-teacher.gguf")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "models.yaml"), strings.Replace(teacherLadder, "%s", source, 1))
	for _, args := range [][]string{{"models", "pull", "--models", "models.yaml"}, {"run", "--models", "models.yaml", "--limit", "16"}} {
		if out, err := program(t, dir, []string{"OLLAMA_HOST=" + server.Host, "XDG_CACHE_HOME=" + dir}, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	l := readLadder(t, onlyRun(t, dir))
	own := l.Steps[0]
	for i, step := range l.Steps {
		if step.EM.N != 16 || step.EM.Mean == nil || *step.EM.Mean < 0.3 || step.AnswerBits.N < 13 || step.AnswerBits.Mean == nil {
			t.Errorf("%s: em %+v, answer bits %+v", step.Model, step.EM, step.AnswerBits)
		}
		if i == 0 {
			continue
		}
		f := step.Fidelity
		if f == nil || f.Tokens < 32 || f.SameTop1.Mean == nil || *f.SameTop1.Mean < 0.8 || f.KLD.Mean == nil || *f.KLD.Mean > 0.5 {
			t.Errorf("%s: fidelity %+v", step.Model, f)
			continue
		}
		right := math.Round(*own.EM.Mean * 16)
		if got := right - float64(*step.Lost) + float64(*step.Won); got != math.Round(*step.EM.Mean*16) || math.Abs(*step.Kept-(1-float64(*step.Lost)/right)) > 1e-12 {
			t.Errorf("%s: %v right of the model's %v, %d lost, %d won, %v kept", step.Model, *step.EM.Mean, right, *step.Lost, *step.Won, *step.Kept)
		}
		t.Logf("%s; same top %.3f, kld at least %.2g, answer bits %.2f (its own: %.2f)", l.Sentences[i-1], *f.SameTop1.Mean, *f.KLD.Mean, *step.AnswerBits.Mean, *own.AnswerBits.Mean)
	}
	if q8 := l.Steps[1]; *q8.Fidelity.SameTop1.Mean < *l.Steps[3].Fidelity.SameTop1.Mean || *q8.Fidelity.KLD.Mean > *l.Steps[3].Fidelity.KLD.Mean {
		t.Errorf("8 bits are further from the model than 4: %+v and %+v", q8.Fidelity, l.Steps[3].Fidelity)
	}
	page, err := os.ReadFile(filepath.Join(onlyRun(t, dir), "summary.md"))
	if err != nil || strings.Count(string(page), " of the answers of teacher at ") != 3 {
		t.Errorf("summary.md: %v\n%s", err, page)
	}
}
