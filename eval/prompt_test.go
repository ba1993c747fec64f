package eval_test

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/queries"
)

func capitals() eval.Plan {
	p := eval.Plan{Rules: eval.RulesNow}
	for _, c := range [][2]string{{"France", "Paris"}, {"Peru", "Lima"}, {"Japan", "Tokyo"}, {"Italy", "Rome"}, {"Spain", "Madrid"}, {"Norway", "Oslo"}} {
		p.Queries.Queries = append(p.Queries.Queries, queries.Query{ID: c[0], Prompt: "The capital of " + c[0] + " is", Keyword: c[1]})
	}
	return p
}

func shots(n int) eval.Model {
	return eval.Model{Name: "m", Generation: eval.Generation{Raw: true, Seed: 1}, Prompting: eval.Prompting{Template: "Q: {{prompt}}\nA:", Shots: n}}
}

func TestPrompt(t *testing.T) {
	p := capitals()
	q := p.Queries.Queries[0]
	if got := p.Prompt(eval.Model{}, q); got != q.Prompt {
		t.Errorf("without a template: %q", got)
	}
	m := shots(2)
	got := p.Prompt(m, q)
	parts := strings.Split(got, "\n\n")
	if len(parts) != 3 || parts[2] != "Q: The capital of France is\nA:" {
		t.Fatalf("sent %q", got)
	}
	for _, e := range p.Shots(m, q) {
		if want := fmt.Sprintf("Q: %s\nA: %s", e.Prompt, e.Keyword); !strings.Contains(got, want) {
			t.Errorf("%q does not hold %q", got, want)
		}
	}
	if again := p.Prompt(m, q); again != got {
		t.Errorf("then %q, now %q", got, again)
	}
	other := m
	other.Generation.Seed = 2
	same := 0
	for _, q := range p.Queries.Queries {
		if p.Prompt(m, q) == p.Prompt(other, q) {
			same++
		}
	}
	if same == len(p.Queries.Queries) {
		t.Error("another seed chooses the same examples")
	}
	if r := p.Request(m, q, 3); r.Prompt != got {
		t.Errorf("sample 3 is asked %q", r.Prompt)
	}
}

// TestShotsDoNotLeak: an example is never the query, nor of its answer, nor
// tells it in its text.
func TestShotsDoNotLeak(t *testing.T) {
	p := capitals()
	q := p.Queries.Queries[0]
	q.Aliases = []string{"Lutetia"}
	m := shots(3)
	m.Prompting.Examples = []queries.Query{
		{ID: "1", Prompt: "The largest city of France is", Keyword: "paris"},
		{ID: "2", Prompt: "Not Paris but", Keyword: "Lyon"},
		{ID: "3", Prompt: q.Prompt, Keyword: "where?"},
		{ID: "4", Prompt: "The Romans called it", Keyword: "Lutetia"},
		{ID: "5", Prompt: "The capital of Parisia is", Keyword: "Lima"},
	}
	if got := p.Shots(m, q); len(got) != 1 || got[0].ID != "5" {
		t.Errorf("chosen %+v", got)
	}
	p.Models = []eval.Model{m}
	p.Models[0].Capabilities = eval.Capabilities{Raw: true, MaxTokens: true}
	var input interface{ BadInput() }
	if err := p.Check(); !errors.As(err, &input) || !strings.Contains(err.Error(), "left for query") {
		t.Errorf("too few examples: %v", err)
	}
	m.Prompting.System, m.Prompting.Template = "You know Paris.", "In France: {{prompt}}"
	if got := strings.Join(p.LeakWarnings(m), "\n"); !strings.Contains(got, `prompt.system holds "Paris", the answer of France`) || strings.Contains(got, "prompt.template") || !strings.Contains(got, "the example 2") {
		t.Errorf("warnings: %s", got)
	}
	leaks := eval.Leaks(m.Prompting.Examples, []queries.Query{q})
	if len(leaks) != 4 {
		t.Errorf("%d examples leak, want 4: %+v", len(leaks), leaks)
	}
}

// TestPromptIsHashed: what changes the text that is sent changes the hash, and
// a plan without a template has the hash that it had before there were any.
func TestPromptIsHashed(t *testing.T) {
	p := capitals()
	seen := map[string]string{}
	for name, prompting := range map[string]eval.Prompting{
		"none":     {},
		"template": {Template: "Q: {{prompt}}"},
		"system":   {System: "Be brief."},
		"shots":    {Shots: 1},
		"more":     {Shots: 2},
		"examples": {Shots: 1, Examples: []queries.Query{{ID: "1", Prompt: "a", Keyword: "b"}}},
	} {
		p.Models = []eval.Model{{Name: "m", Prompting: prompting}}
		if other, ok := seen[p.Hash()]; ok {
			t.Errorf("%s has the hash of %s", name, other)
		}
		seen[p.Hash()] = name
		if facts := p.Facts(); name == "none" && strings.Contains(fmt.Sprint(facts), "prompt.") {
			t.Errorf("facts of a plain prompt: %v", facts)
		}
	}
}

// The seed of a request follows from seed, query and sample as stated, whatever
// the ID holds.
func TestRequestSeed(t *testing.T) {
	m := eval.Model{Name: "m", Generation: eval.Generation{Seed: -7}}
	plan := eval.Plan{Rules: eval.RulesNow}
	for _, id := range []string{"geo-capital-france", `a "quoted" one\`, "é\x00\u2028", strings.Repeat("long", 50), ""} {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d %q %d", -7, id, 12))
		want := int(binary.BigEndian.Uint32(sum[:]) >> 1)
		if got := plan.Request(m, queries.Query{ID: id}, 12).Seed; got != want {
			t.Errorf("%q: %d, not %d", id, got, want)
		}
	}
}
