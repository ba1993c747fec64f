package reports_test

import (
	"testing"

	"github.com/disteval/disteval/reports"
)

func TestLines(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"two\nlines", "two\nlines"},
		{"\x1b[31m\u202e\x00\xff\r", `\x1b[31m\u202e\x00\xff\r`},
		{"::error::forged", `\x3a:error::forged`},
		{"the server said\n  ::error::forged", "the server said\n  \\x3a:error::forged"},
		{"the server said ##[error]forged", `the server said #\x23[error]forged`},
		{"models.yaml:3: a: b", "models.yaml:3: a: b"},
	} {
		if got := reports.Lines(test.in); got != test.want {
			t.Errorf("Lines(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}
