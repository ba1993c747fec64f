package text

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/disteval/disteval/reports"
)

// annotation is a command as we write it: one, with a title and a text that
// hold no invisible character.
var annotation = regexp.MustCompile(`^::(error|notice) title=[^:,\n\r]*::[^\n\r]*$`)

func FuzzAnnotation(f *testing.F) {
	f.Add(hostile)
	f.Add("::error::x%0A::stop-commands::y")
	f.Fuzz(func(t *testing.T, s string) {
		line := "::error title=" + annotationProperty(s) + "::" + annotationData(s)
		if !annotation.MatchString(line) || strings.Contains(line, "##[") {
			t.Errorf("%q became %q", s, line)
		}
		if strings.ContainsFunc(line, reports.Hidden) {
			t.Errorf("invisible characters in %q", line)
		}
		for rest := annotationData(s); strings.Contains(rest, "%"); {
			_, after, _ := strings.Cut(rest, "%")
			if !strings.HasPrefix(after, "25") {
				t.Errorf("an escape of another's in %q", line)
			}
			rest = after
		}
	})
}

func FuzzString(f *testing.F) {
	f.Add(hostile)
	f.Add("\U000e0001\u2028\ufeff😀")
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		b := appendString(nil, s)
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		var want string
		plain, _ := json.Marshal(s)
		if err := json.Unmarshal(plain, &want); err != nil || got != want {
			t.Errorf("%q came back as %q, want %q", s, got, want)
		}
		if strings.ContainsFunc(string(b), reports.Hidden) || strings.ContainsAny(string(b), "<>&") {
			t.Errorf("%s holds what should be escaped", b)
		}
		if again := escapeHidden(plain); strings.ContainsFunc(string(again), reports.Hidden) || !json.Valid(again) {
			t.Errorf("%s holds what should be escaped", again)
		}
	})
}

func FuzzMarkdown(f *testing.F) {
	f.Add(hostile)
	f.Fuzz(func(t *testing.T, s string) {
		for _, out := range []string{code(s), prose(s)} {
			inner := strings.NewReplacer("<code>", "", "</code>", "", "<!-- -->", "", ": ", "").Replace(out)
			if strings.ContainsAny(inner, "<>|`*_[]!~:@\\") || strings.ContainsFunc(inner, reports.Hidden) {
				t.Errorf("%q became %q", s, out)
			}
		}
	})
}
