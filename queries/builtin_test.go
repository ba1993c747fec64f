package queries

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// published are the ten queries of the published evaluation, to the letter.
var published = [][2]string{
	{"The capital of France is", "Paris"},
	{"The author of To Kill a Mockingbird is", "Harper Lee"},
	{"The planet known as the Red Planet is", "Mars"},
	{"The smallest country in the world is", "Vatican City"},
	{"The Mona Lisa was painted by", "Leonardo da Vinci"},
	{"The tallest mountain in the world is", "Mount Everest"},
	{"The host country of the 2016 Summer Olympics", "Brazil"},
	{"The currency of Japan is", "Yen"},
	{`The "Father of Computers" is`, "Charles Babbage"},
	{"The largest ocean on Earth is", "Pacific Ocean"},
}

// builtinHash pins the content under its version: who changes an item changes
// the version, the changelog and this hash.
const builtinHash = "161e1b5be6c12adf2f1bae9239bf3bcaa40bed1f9db801028784a89ef848ed9b"

func TestBuiltinVersion(t *testing.T) {
	s := Builtin()
	if s.Name != "builtin" || s.Version != "1.0.0" || s.SHA256() != builtinHash {
		t.Errorf("%s %s has the content hash %s; a changed item is a new version", s.Name, s.Version, s.SHA256())
	}
}

func TestBuiltinPublished(t *testing.T) {
	s := Builtin()
	for i, want := range published {
		if q := s.Queries[i]; q.Prompt != want[0] || q.Keyword != want[1] {
			t.Errorf("query %d is %q, %q; want %q", i+1, q.Prompt, q.Keyword, want)
		}
	}
}

var kebab = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+$`)

// TestBuiltinShape checks what the set promises beyond the lint.
func TestBuiltinShape(t *testing.T) {
	s := Builtin()
	categories, grades, digits := map[string]int{}, map[string]int{}, 0
	for _, q := range s.Queries {
		categories[q.Category]++
		grades[q.Difficulty]++
		if slices.ContainsFunc(q.Answers(), func(a string) bool { return strings.Trim(a, "0123456789") == "" }) {
			digits++
		}
		for _, a := range q.Answers() {
			if strings.Contains(strings.ToLower(q.Prompt), strings.ToLower(a)) {
				t.Errorf("%s: the prompt holds %q as a substring, which would make em_substring blind", q.ID, a)
			}
		}
		prefix, _, _ := strings.Cut(q.ID, "-")
		if !kebab.MatchString(q.ID) || !strings.HasPrefix(q.Category, prefix) {
			t.Errorf("%s: an ID is in kebab case and begins with its category's first letters, here %s", q.ID, q.Category)
		}
	}
	if len(s.Queries) != 200 || len(categories) < 12 || digits < 15 || digits > 25 {
		t.Errorf("%d queries, %d categories, %d answers in digits; want 200, at least 12, 15 to 25", len(s.Queries), len(categories), digits)
	}
	for name, n := range categories {
		if n < 14 || n > 18 {
			t.Errorf("category %s has %d queries, want 14 to 18", name, n)
		}
	}
	for _, grade := range []string{"easy", "medium", "hard"} {
		if grades[grade] < 30 {
			t.Errorf("%d queries are %s, want at least 30", grades[grade], grade)
		}
	}
	t.Logf("categories %v, grades %v, %d answers in digits", categories, grades, digits)
}

// TestBuiltinLint wants no error and no warning without an explanation.
func TestBuiltinLint(t *testing.T) {
	for _, f := range testLinter.Check(Builtin()) {
		if f.Explained == "" {
			t.Errorf("%s:%d: %s: %s [%s]", f.File, f.Line, f.Severity, f.Message, f.Rule)
		}
	}
}

// TestBuiltinOwn wants each caller's list to be its own.
func TestBuiltinOwn(t *testing.T) {
	Builtin().Queries[0].Prompt = "changed"
	if got := Builtin().Queries[0].Prompt; got != published[0][0] {
		t.Errorf("a caller's change reached the embedded set: %q", got)
	}
}
