package cli

import "testing"

func TestInert(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"two\nlines", "two\nlines"},
		{"\x1b[31m\u202e\x00\xff\r", `\x1b[31m\u202e\x00\xff\r`},
		{"::error::forged", `\x3a:error::forged`},
		{"the server said\n  ::error::forged", "the server said\n  \\x3a:error::forged"},
		{"the server said ##[error]forged", `the server said #\x23[error]forged`},
		{"models.yaml:3: a: b", "models.yaml:3: a: b"},
	} {
		if got := inert(test.in); got != test.want {
			t.Errorf("inert(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}
