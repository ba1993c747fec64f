package progress

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/queries"
)

// TestRunCountsWhatIsThere: after a resumption it goes on from there.
func TestRunCountsWhatIsThere(t *testing.T) {
	plan := eval.Plan{Models: []eval.Model{{Name: "student"}}}
	for i := range 10 {
		plan.Queries.Queries = append(plan.Queries.Queries, queries.Query{ID: fmt.Sprint("q", i), Keyword: "Paris"})
	}
	var out bytes.Buffer
	p := NewRun(&out, false, plan, slog.New(slog.NewTextHandler(io.Discard, nil)))
	m := plan.Models[0]
	p.PhaseBegun(m, eval.PhaseAnswer, 4, 10)
	for i := 6; i < 10; i++ {
		p.ReplyReceived(m, eval.Reply{JobID: eval.JobID{Model: "student", Query: fmt.Sprint("q", i)}, Text: " Paris"})
	}
	for _, want := range []string{"student: 6 of 10 replies are there already", "student: 7 of 10", "student: 10 of 10"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "of 4") {
		t.Errorf("it counts what is open alone:\n%s", out.String())
	}
}
