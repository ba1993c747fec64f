package fleet

import (
	"testing"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/queries"
)

// Models that are to be first are, and keep their places in messages.
func TestBookOrder(t *testing.T) {
	plan := eval.Plan{Samples: 1, Models: []eval.Model{{Name: "A"}, {Name: "B"}, {Name: "C"}},
		Queries: queries.Set{Queries: []queries.Query{{ID: "q", Prompt: "p"}}}}
	b := newBook(plan, []string{"C"}, nil)
	for i, want := range []int{2, 0, 1} {
		if at, _, ok := b.take(); !ok || at.model != want {
			t.Errorf("question %d is of model %d, want %d", i, at.model, want)
		}
	}
}

func TestKeys(t *testing.T) {
	k := keys{nonce: "n", secret: "s"}
	at := place{1, 2}
	key, audit := k.of(at, 0, ""), k.of(at, 0, "a")
	for _, c := range []struct {
		key  string
		at   place
		host string
		want bool
	}{
		{key, at, "", true},
		{audit, at, "a", true},
		{key, place{1, 3}, "", false},
		{key, place{2, 2}, "", false},
		{key, at, "a", false}, // a question for anyone is no audit
		{audit, at, "b", false},
		{audit, at, "", false},
		{key[:len(key)-1], at, "", false},
		{"", at, "", false},
		{"n-1-2-0-", at, "", false},
	} {
		if got := k.genuine(c.key, c.at, c.host); got != c.want {
			t.Errorf("%q for %v, %q: %v", c.key, c.at, c.host, got)
		}
	}
	if later := (&keys{nonce: "m", secret: "s"}); !later.genuine(key, at, "") {
		t.Error("a later process does not know the key")
	}
}
