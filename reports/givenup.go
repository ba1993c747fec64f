package reports

import (
	"fmt"

	"github.com/disteval/disteval/eval"
)

// GivenUp is the error of the first model that was given up, with the next step;
// nil where all were asked to the end.
func (r Report) GivenUp() error {
	for _, m := range r.Models {
		if m.GaveUp == "" {
			continue
		}
		next := "when its server answers again: disteval run --resume " + r.Dir
		if !m.Model.Served() {
			next = "its file cannot be used: name another in the models file, and run again"
		}
		return eval.WithHint(fmt.Errorf("%s was given up: %s", m.Model.Name, m.GaveUp), next)
	}
	return nil
}
