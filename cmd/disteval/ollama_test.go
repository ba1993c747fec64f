package main_test

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/disteval/disteval/eval/ollama/ollamatest"
)

// realModels asks for short replies, to keep the test short: what a reply of
// 64 tokens would show, one of 2 does.
const realModels = `version: 1
likelihood: off
generation: {num_predict: 2, num_ctx: 128}
models:
  - {name: DistilLlama, provider: ollama, model: distilllama, role: reference}
  - {name: baby-llama-58m, provider: ollama, model: baby-llama-58m}
`

// smallModels are quick to load and to ask: a killed run is about what is
// stored, not about the models.
const smallModels = `version: 1
queries: some.jsonl
likelihood: off
generation: {num_predict: 8, num_ctx: 128, num_thread: 1}
models:
  - {name: one, provider: ollama, model: tiny-one, role: reference}
  - {name: other, provider: ollama, model: tiny-other}
`

// TestMainJobOnARealOllama runs the whole main job against models of random
// weights with the shapes of the published ones, and one of small models over
// some of the queries, killed twenty times and resumed.
func TestMainJobOnARealOllama(t *testing.T) {
	server := ollamatest.Start(t)
	server.CreateRandom(t, "baby-llama-58m", ollamatest.BabyLlama58M)
	server.CreateRandom(t, "distilllama", ollamatest.DistilLlama)
	small := ollamatest.Tiny
	server.CreateRandom(t, "tiny-one", small)
	small.Seed++
	server.CreateRandom(t, "tiny-other", small)
	env := []string{"OLLAMA_HOST=" + server.Host}
	run := func(dir string) string {
		out, err := program(t, dir, env, "run", "--models", "models.yaml").Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Logf("%s", out)
		return onlyRun(t, dir)
	}

	all := t.TempDir()
	writeFile(t, filepath.Join(all, "models.yaml"), realModels)
	dir := run(all)
	checkSummary(t, dir)
	for _, file := range []string{"run.db", "summary.json", "replies.jsonl", "summary.md", "report.html", "report.xlsx", "emissions.csv"} {
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", file, err)
		}
	}

	start := time.Now()
	want := outcomes(t, run(someQueries(t)))
	took := time.Since(start)
	random := rand.New(rand.NewPCG(3, 4))
	got := outcomes(t, killAndResume(t, someQueries(t), env, "models.yaml", 20, func() time.Duration {
		return time.Duration(random.Int64N(int64(took)))
	}))
	if len(want) != 80 || !maps.Equal(got, want) {
		t.Errorf("after 20 kills there are %d outcomes, %d of them those of the uninterrupted run, which has %d", len(got), same(got, want), len(want))
		for k, v := range want {
			if got[k] != v {
				t.Errorf("%s: %s, uninterrupted %s", k, got[k], v)
			}
		}
	}
}

// someQueries makes a folder with the models and 40 of the queries.
func someQueries(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	set, err := program(t, dir, nil, "queries", "export").Output()
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "some.jsonl"), strings.Join(strings.SplitAfter(string(set), "\n")[:40], ""))
	writeFile(t, filepath.Join(dir, "models.yaml"), smallModels)
	return dir
}

func checkSummary(t *testing.T, run string) {
	t.Helper()
	var s struct {
		Schema, Status string
		Models         []struct {
			Name              string
			Replies, Failures int
			Tokens            struct{ Completion int }
			Digest            string
		}
	}
	data, err := os.ReadFile(filepath.Join(run, "summary.json"))
	if err != nil || json.Unmarshal(data, &s) != nil {
		t.Fatalf("summary.json: %v\n%s", err, data)
	}
	if s.Schema != "disteval.summary/1" || s.Status != "complete" || len(s.Models) != 2 {
		t.Errorf("summary: %+v", s)
	}
	for _, m := range s.Models {
		if m.Replies != 200 || m.Failures != 0 || m.Tokens.Completion == 0 || strings.Trim(m.Digest, "0") == "" {
			t.Errorf("model: %+v", m)
		}
	}
}
