package scoring

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/disteval/disteval/queries"
)

// dumpedIn tells whether a reply to a set's query is flagged.
func dumpedIn(t *testing.T, set queries.Set, q queries.Query, reply string) bool {
	t.Helper()
	cfg := Config{Answers: NewAnswers(set)}
	r, err := New(cfg).Score(context.Background(), cfg.Pair(q, reply))
	if err != nil {
		t.Fatal(err)
	}
	return Dumped(r.Flags)
}

// TestAnswerDump holds replies against the built-in set.
func TestAnswerDump(t *testing.T) {
	set := queries.Builtin()
	var all []string
	for _, q := range set.Queries {
		all = append(all, q.Keyword)
	}
	first := set.Queries[0]
	filler := strings.Repeat("and so it went on for a while ", 40)
	for _, test := range []struct {
		name, reply string
		want        bool
	}{
		{"every keyword", strings.Join(all, ", "), true},
		{"every keyword, one a line, in capitals", strings.ToUpper(strings.Join(all, "\n")), true},
		{"every keyword within prose", strings.Join(all, " or else "), true},
		{"every keyword after much prose", filler + strings.Join(all, " "), true},
		{"thirty keywords", strings.Join(all[20:50], " "), true},
		{"five keywords", strings.Join(all[20:25], ", "), false},
		{"its own keyword", first.Keyword, false},
		{"its own keyword, over and over", strings.Repeat(first.Keyword+" ", 300), false},
		{"one other, over and over", strings.Repeat(all[30]+" ", 300), false},
		{"prose", "The capital of France is Paris, which lies on the Seine. It is the largest city of the country, and the Eiffel Tower stands there. The river flows to the sea.", false},
		{"nothing", "", false},
	} {
		if got := dumpedIn(t, set, first, test.reply); got != test.want {
			t.Errorf("%s: flagged %t, want %t", test.name, got, test.want)
		}
	}
}

// TestAnswerDumpInSmallSets wants half of the other answers to be enough, and
// two at least.
func TestAnswerDumpInSmallSets(t *testing.T) {
	set := queries.Set{}
	for i, word := range []string{"red", "green", "blue", "white", "black", "brown", "pink", "grey", "gold", "violet"} {
		set.Queries = append(set.Queries, queries.Query{ID: fmt.Sprint(i), Keyword: word, Aliases: []string{"the colour " + word}})
	}
	for _, test := range []struct {
		queries int
		reply   string
		want    bool
	}{
		{10, "red green blue white black brown", true},
		{10, "red green blue white black", false},
		{10, "the colour green, the colour blue, the colour white, the colour black, the colour brown", true},
		{3, "green blue", true},
		{3, "green green", false},
		{2, "red green", false},
		{1, "red", false},
	} {
		small := queries.Set{Queries: set.Queries[:test.queries]}
		if got := dumpedIn(t, small, set.Queries[0], test.reply); got != test.want {
			t.Errorf("%q in a set of %d: flagged %t, want %t", test.reply, test.queries, got, test.want)
		}
	}
}

// TestSharedAnswersCountOnce: queries with one answer are no many answers.
func TestSharedAnswersCountOnce(t *testing.T) {
	set := queries.Set{}
	for i := range 40 {
		set.Queries = append(set.Queries, queries.Query{ID: fmt.Sprint(i), Keyword: []string{"yes", "no", "maybe", "never"}[i%4]})
	}
	if NewAnswers(set).n != 4 {
		t.Errorf("%d answers, want 4", NewAnswers(set).n)
	}
	if dumpedIn(t, set, set.Queries[0], "yes") || !dumpedIn(t, set, set.Queries[0], "yes no maybe never") {
		t.Error("four answers are few, and all of them a dump")
	}
}

// BenchmarkAnswerDump is what looking for other answers adds to scoring.
func BenchmarkAnswerDump(b *testing.B) {
	set := queries.Builtin()
	reply := "The capital of France is Paris, which lies on the Seine. It is the largest city of the country, and the Eiffel Tower stands there. The river flows to the sea."
	for name, cfg := range map[string]Config{"without": {}, "with": {Answers: NewAnswers(set)}} {
		b.Run(name, func(b *testing.B) {
			s := New(cfg)
			for b.Loop() {
				if _, err := s.Score(context.Background(), cfg.Pair(set.Queries[0], reply)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
