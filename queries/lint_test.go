package queries

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// testWords is the em normalisation as far as these tests need it; the whole
// of it belongs to the metrics, which this package does not know.
func testWords(s string) []string {
	s = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) || r == '\'' || r == '’' {
			return -1
		}
		return r
	}, norm.NFKD.String(testSpelling.Replace(s)))
	return strings.FieldsFunc(cases.Fold().String(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

var testSpelling = strings.NewReplacer("'s", "", "æ", "ae", "œ", "oe")

var testLinter = Linter{
	Words: testWords,
	Unscorable: func(keyword string) []string {
		if strings.Trim(keyword, "0123456789") == "" {
			return []string{"cosine: the word vectors hold no numbers"}
		}
		return nil
	},
}

// TestPlanted reads files with one fault of each kind and wants every one of
// them, at its line, and no other.
func TestPlanted(t *testing.T) {
	for file, want := range map[string][]string{
		"planted.yaml": {
			"0 warning unused-explanation",
			"13 error empty-field", "17 error duplicate-id", "21 error leaked-answer", "25 error duplicate-prompt",
			"29 warning near-duplicate-prompt", "33 warning redundant-alias", "38 warning answer-in-answer",
			"46 warning unscorable-keyword (explained)", "50 warning common-answer", "54 warning long-answer",
			"58 warning missing-category", "61 warning bad-difficulty", "66 warning bad-as-of", "71 warning untidy-text",
			"75 warning unbalanced-category", "83 warning repeated-answer", "90 error format",
		},
		"planted.jsonl": {"2 error format", "3 error duplicate-id", "4 error leaked-answer", "5 error duplicate-prompt", "6 error format", "8 warning common-answer"},
		"planted.csv":   {"3 error format", "4 error empty-field", "7 error leaked-answer", "8 error empty-field", "9 warning redundant-alias", "10 error format", "11 warning answer-in-answer"},
	} {
		t.Run(file, func(t *testing.T) {
			_, found, err := testLinter.CheckFile("testdata/" + file)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range found {
				s := fmt.Sprintf("%d %s %s", f.Line, f.Severity, f.Rule)
				if f.Explained != "" {
					s += " (explained)"
				}
				got = append(got, s)
				if f.File != "testdata/"+file {
					t.Errorf("finding %q names the file %q", s, f.File)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				for _, f := range found {
					t.Logf("%d [%s] %s", f.Line, f.Rule, f.Message)
				}
			}
		})
	}
}

func TestCheckFileMissing(t *testing.T) {
	if _, _, err := testLinter.CheckFile("testdata/none.yaml"); err == nil {
		t.Error("a file that is not there passed")
	}
}

// TestNear pins which prompts count as near-duplicates.
func TestNear(t *testing.T) {
	const paris, lima = "Paris", "Lima"
	for _, test := range []struct {
		a, b string
		key  string // of b; a's is Paris
		want bool
	}{
		{"The capital of France is", "The capital city of France is", lima, true},
		{"The capital city of France is", "The capital of France is", lima, true},
		{"The capital of France is", "Is the capital of France", lima, true},
		{"The capital of France is", "The capital city of France is called", paris, true},
		{"The capital of France is", "The capital of Peru is", lima, false},
		{"The capital of France is", "The city on the Seine with the Louvre is", paris, false},
	} {
		s := Set{Queries: []Query{{ID: "a", Prompt: test.a, Keyword: paris, Category: "c"}, {ID: "b", Prompt: test.b, Keyword: test.key, Category: "c"}}}
		found := testLinter.Check(s)
		if got := len(found) == 1 && found[0].Rule == RuleNear && found[0].ID == "b"; got != test.want {
			t.Errorf("%q, %q: got %+v", test.a, test.b, found)
		}
	}
}

// TestNearByAlias wants near-duplicates found by any answer that they share.
func TestNearByAlias(t *testing.T) {
	s := Set{Queries: []Query{
		{ID: "a", Prompt: "The tallest mountain in the world is", Keyword: "Mount Everest", Aliases: []string{"Sagarmatha"}, Category: "c"},
		{ID: "b", Prompt: "The highest mountain in the world is", Keyword: "Sagarmatha", Category: "c"},
	}}
	if got := rules(testLinter.Check(s)); !slices.Equal(got, []string{"b near-duplicate-prompt", "b answer-in-answer"}) {
		t.Errorf("got %q", got)
	}
}

// rules lists findings as ID and rule.
func rules(found []Finding) (all []string) {
	for _, f := range found {
		all = append(all, f.ID+" "+f.Rule)
	}
	return all
}

// TestHidden pins which answers count as hidden in their prompt.
func TestHidden(t *testing.T) {
	for _, test := range []struct {
		prompt, answer string
		want           bool
	}{
		{"The Parisians live in", "Paris", true},
		{"Melville wrote of MobyDick, called", "Moby-Dick", true},
		{"Melville wrote of Moby-Dick, called", "the MobyDick", true},
		{"An island essay is about the", "Andes", false}, // across words that are whole elsewhere
		{"The author of Moby is", "MobyDick", false},
		{"Sugar and salt are", "A", false}, // a single letter has a warning of its own
	} {
		s := Set{Queries: []Query{{ID: "a", Prompt: test.prompt, Keyword: test.answer, Category: "c"}}}
		if got := slices.Contains(rules(testLinter.Check(s)), "a hidden-answer"); got != test.want {
			t.Errorf("%q in %q: got %v", test.answer, test.prompt, got)
		}
	}
}

// TestFewShot takes prompts of several lines: the lines above the question may
// hold its answer, which is a warning, and are no untidy text.
func TestFewShot(t *testing.T) {
	const shots = "Q: The capital of France is\nA: Paris\n\nQ: Two and two are\nA: four\n\n"
	for _, test := range []struct {
		name, prompt, keyword string
		want                  []string
	}{
		{"another answer", shots + "Q: The capital of Peru is\nA:", "Lima", nil},
		{"an example's answer", shots + "Q: The city on the Seine is\nA:", "Paris", []string{"a answer-in-example"}},
		{"in the question", shots + "Q: Paris is the city called\nA:", "Paris", []string{"a leaked-answer"}},
		{"lines without labels", "Paris is the capital of France.\nLima is that of Peru.\nThe city on the Seine is", "Paris", []string{"a answer-in-example"}},
		{"a label alone", "Answer:\n", "Paris", []string{"a untidy-text"}},
		{"one line", "Paris is the city called", "Paris", []string{"a leaked-answer"}},
		{"a column", "France\tParis\nPeru\t", "Lima", []string{"a untidy-text"}},
		{"a return", "The city on the Seine\r\nis", "Paris", []string{"a untidy-text"}},
	} {
		s := Set{Queries: []Query{{ID: "a", Prompt: test.prompt, Keyword: test.keyword, Category: "c"}}}
		found := testLinter.Check(s)
		if got := rules(found); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
		leaks := testLinter.Leaks(s)
		if holds := slices.ContainsFunc(test.want, func(r string) bool { return r == "a leaked-answer" || r == "a answer-in-example" }); holds != (len(leaks) == 1) {
			t.Errorf("%s: leaks %+v", test.name, leaks)
		}
	}
}

// TestReference wants the lint to look at what ROUGE-L and cosine compare with.
func TestReference(t *testing.T) {
	s := Set{Queries: []Query{
		{ID: "a", Prompt: "The fall of the wall was in", Keyword: "1989", Reference: "nineteen eighty-nine", Category: "c"},
		{ID: "b", Prompt: "Wine was drawn from the", Keyword: "cask", Reference: "1984", Category: "c"},
	}}
	found := testLinter.Check(s)
	if got := rules(found); !slices.Equal(got, []string{"b unscorable-keyword"}) || !strings.Contains(found[0].Message, `reference "1984"`) {
		t.Errorf("got %+v", found)
	}
}

// TestCheckFile wants a note where reading stopped, and the explanations of
// the embedded set for a copy in a format that has no place for them.
func TestCheckFile(t *testing.T) {
	dir := t.TempDir()
	bad, copied := filepath.Join(dir, "bad.jsonl"), filepath.Join(dir, "copy.jsonl")
	var b strings.Builder
	if err := WriteJSONL(&b, Builtin()); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{bad: strings.Repeat("nonsense\n", 30), copied: b.String()} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, found, err := testLinter.CheckFile(bad); err != nil || len(found) != 21 || found[20].Line != 20 || !strings.Contains(found[20].Message, "stopped after 20") {
		t.Errorf("%v, got %+v", err, found)
	}
	_, found, err := testLinter.CheckFile(copied)
	if err != nil || len(found) == 0 || slices.ContainsFunc(found, func(f Finding) bool { return f.Explained == "" }) {
		t.Errorf("%v, got %+v", err, found)
	}
}

// TestEmptyFields checks a set made in code, which no loader has seen.
func TestEmptyFields(t *testing.T) {
	s := Set{Queries: []Query{{Category: "c", Aliases: []string{" "}}}}
	var got []string
	for _, f := range testLinter.Check(s) {
		if f.Severity == SeverityError {
			got = append(got, f.Message)
		}
	}
	if want := []string{"id is empty", "prompt is empty", "keyword is empty", "an alias is empty"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// hardSets are the shapes that would make a careless lint quadratic.
var hardSets = map[string]func(i int) Query{
	"different": func(i int) Query {
		return Query{Prompt: fmt.Sprintf("fact w%d about w%d is", i, i/7), Keyword: fmt.Sprintf("answer%d", i)}
	},
	"one template": func(i int) Query {
		return Query{Prompt: fmt.Sprintf("The square of the number %d is", i), Keyword: fmt.Sprintf("v%d", i)}
	},
	"one answer": func(i int) Query {
		return Query{Prompt: fmt.Sprintf("Whether statement %d of the list %d is true", i, i%97), Keyword: "yes"}
	},
	"answers inside": func(i int) Query {
		return Query{Prompt: fmt.Sprintf("statement p%d q%d r%d", i, i+1, i*3), Keyword: []string{"yes", "yes sir"}[i%2]}
	},
}

func hardSet(n int, query func(int) Query) Set {
	var s Set
	for i := range n {
		q := query(i)
		q.ID, q.Category = fmt.Sprintf("q%d", i), "c"
		s.Queries = append(s.Queries, q)
	}
	return s
}

// TestLintLinear would see a quadratic rule: eight times the queries may take
// at most 24 times as long, where a quadratic rule takes 64.
func TestLintLinear(t *testing.T) {
	for name, query := range hardSets {
		small, large := hardSet(1500, query), hardSet(12_000, query)
		testLinter.Check(small) // warm up
		ratio := 1e9
		for range 3 { // the best of three, because the machine is not idle
			ratio = min(ratio, float64(took(large))/float64(took(small)))
		}
		if ratio > 24 {
			t.Errorf("%s: 8 times the queries took %.1f times as long", name, ratio)
		}
		t.Logf("%s: %.1f times as long", name, ratio)
	}
}

func took(s Set) time.Duration {
	start := time.Now()
	testLinter.Check(s)
	return time.Since(start)
}

func BenchmarkLint100k(b *testing.B) {
	for name, query := range hardSets {
		s := hardSet(100_000, query)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				testLinter.Check(s)
			}
		})
	}
}
