package html

import (
	"fmt"
	"strings"

	"github.com/disteval/disteval/reports"
)

// mostFailing is how many checks that did not pass stand on top of the page.
const mostFailing = 20

// verdict is what the gate says, in short.
type verdict struct {
	Status   reports.Outcome
	Class    string // of the notice
	Counts   string
	Against  string // the baseline; empty: none
	Failing  table  // checks that did not pass, at most mostFailing
	More     int    // that are not listed
	All      table
	Paired   []string
	Unjudged string
}

// newVerdict is nil where nobody judged.
func newVerdict(j *reports.Judgement) *verdict {
	if j == nil {
		return nil
	}
	head := []string{"Check", "Model", "Outcome", "Expected", "Got", "Why"}
	v := &verdict{Status: j.Status(), Class: "good", Counts: j.Counts(), Against: j.Baseline, Failing: table{Head: head}, All: table{Head: head},
		Unjudged: strings.Join(j.Unjudged, ", ")}
	switch v.Status {
	case reports.Regression:
		v.Class = "bad"
	case reports.Inconclusive:
		v.Class = "warn"
	}
	for _, c := range j.Checks {
		what, model := c.Measure, c.Model
		if c.Query != "" {
			what += " " + c.Query
		}
		if model == "" {
			model = "the run"
		}
		row := []string{what, model, string(c.Outcome), c.Expected, c.Got, orNone(c.Reason)}
		v.All.Rows = append(v.All.Rows, row)
		if c.Outcome != reports.Pass && c.Outcome != reports.Improved {
			if len(v.Failing.Rows) == mostFailing {
				v.More++
				continue
			}
			v.Failing.Rows = append(v.Failing.Rows, row)
		}
	}
	for _, p := range j.Paired {
		v.Paired = append(v.Paired, fmt.Sprintf("%s: %d newly wrong and %d newly right of %d queries, %s", p.Model,
			len(p.NewlyWrong), len(p.NewlyRight), p.N, reports.PText(&p.P)))
	}
	return v
}
