package builtin

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"

	"github.com/disteval/disteval/queries"
)

// torchOutput is what the trainer computed with the same weights.
type torchOutput struct {
	Known []struct {
		Prompt string    `json:"prompt"`
		Tokens []int32   `json:"tokens"`
		Logits []float32 `json:"logits"` // of the token after the prompt
	} `json:"known"`
	Replies []string `json:"replies"` // greedy, in the order of train/queries.jsonl
}

func readTorch(t testing.TB) map[string]torchOutput {
	t.Helper()
	raw, err := os.ReadFile("testdata/torch.json")
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]torchOutput
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// trained is one question of the set that the miniatures were trained on.
type trained struct{ ID, Prompt, Keyword string }

func readTrained(t testing.TB) []trained {
	t.Helper()
	f, err := os.Open("train/queries.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []trained
	for s := bufio.NewScanner(f); s.Scan(); {
		var q trained
		if err := json.Unmarshal(s.Bytes(), &q); err != nil {
			t.Fatal(err)
		}
		out = append(out, q)
	}
	return out
}

func readPrompts(t testing.TB) []string {
	var out []string
	for _, q := range readTrained(t) {
		out = append(out, q.Prompt)
	}
	return out
}

func TestTrainedOnTheEmbeddedSet(t *testing.T) {
	set, was := queries.Builtin().Queries, readTrained(t)
	if len(set) != len(was) {
		t.Fatalf("the set has %d questions, the models were trained on %d: run `make train`", len(set), len(was))
	}
	for i, q := range set {
		if now := (trained{q.ID, q.Prompt, q.Keyword}); now != was[i] {
			t.Errorf("the set has %v, the models were trained on %v: run `make train`", now, was[i])
		}
	}
}

func open(t testing.TB, name string) *LLM {
	t.Helper()
	l, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func loaded(t testing.TB, name string) *model {
	t.Helper()
	m, err := open(t, name).load()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestLogitsAreTorchs(t *testing.T) {
	for name, want := range readTorch(t) {
		m := loaded(t, name)
		for _, k := range want.Known {
			ids, err := m.words.encode(k.Prompt, m.context)
			if err != nil {
				t.Fatal(err)
			}
			s := m.newSession()
			for i, id := range ids {
				if id != k.Tokens[i] {
					t.Fatalf("%s: %q is encoded as %v, the trainer has %v", name, k.Prompt, ids, k.Tokens)
				}
				s.step(id)
			}
			for i, v := range s.predict() {
				if d := v - k.Logits[i]; d > 2e-3 || d < -2e-3 {
					t.Fatalf("%s: logit %d after %q is %v, torch has %v", name, i, k.Prompt, v, k.Logits[i])
				}
			}
		}
	}
}

func TestRepliesAreTorchs(t *testing.T) {
	prompts, all := readPrompts(t), readTorch(t)
	for _, name := range Names() {
		l, same := open(t, name), 0
		for i, p := range prompts {
			res, err := l.Generate(t.Context(), p, Options{NumPredict: 64}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if res.Text == all[name].Replies[i] {
				same++
			} else {
				t.Logf("%s: %q\n here  %q\n torch %q", name, p, res.Text, all[name].Replies[i])
			}
		}
		if same != len(prompts) {
			t.Errorf("%s: %d of %d greedy replies are torch's", name, same, len(prompts))
		}
	}
}
