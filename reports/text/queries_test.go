package text

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/disteval/disteval/queries"
)

func TestWriteQueryTable(t *testing.T) {
	var b strings.Builder
	s := queries.Set{Queries: []queries.Query{
		{ID: "geo-a", Prompt: "The capital of Peru is", Keyword: "Lima", Category: "geography", Difficulty: "easy"},
		{ID: "x", Prompt: "one\ntwo\x1b[31m", Keyword: "k", Aliases: []string{"l", "m"}},
	}}
	if err := WriteQueries(&b, s); err != nil {
		t.Fatal(err)
	}
	want := `ID     CATEGORY   DIFFICULTY  PROMPT                  KEYWORD  ALIASES
geo-a  geography  easy        The capital of Peru is  Lima     -
x      -          -           one\ntwo\x1b[31m        k        l | m
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestWriteFindings(t *testing.T) {
	var b strings.Builder
	if err := WriteFindings(&b, []queries.Finding{
		{File: "set.yaml", Line: 7, Rule: queries.RuleLeak, Severity: queries.SeverityError, Message: "the prompt holds \x1b"},
		{File: "set.yaml", Rule: queries.RuleInside, Severity: queries.SeverityWarning, Message: "inside", Explained: "meant"},
		{Rule: queries.RuleEmpty, Severity: queries.SeverityError, Message: "empty"},
	}); err != nil {
		t.Fatal(err)
	}
	want := `set.yaml:7: error: the prompt holds \x1b [leaked-answer]
set.yaml: warning: inside [answer-in-answer]
    explained: meant
queries: error: empty [empty-field]
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// closed is a pipe that nobody reads any more.
type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestWriteQueriesToClosedPipe(t *testing.T) {
	if err := WriteQueries(closed{}, queries.Builtin()); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("table: got %v", err)
	}
	if err := WriteFindings(closed{}, []queries.Finding{{Message: "m"}}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("findings: got %v", err)
	}
}
