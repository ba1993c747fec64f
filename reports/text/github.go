package text

import (
	"fmt"
	"io"
	"strings"

	"github.com/disteval/disteval/reports"
)

// WriteAnnotations writes the judgement as workflow commands of GitHub Actions:
// an error for each check that is inconclusive or a regression, a notice for
// each that improved. They count only on the standard output of a step; the
// step's summary is WriteMarkdown.
func WriteAnnotations(w io.Writer, j reports.Judgement) error {
	var b strings.Builder
	for _, kind := range []struct {
		outcome reports.Outcome
		command string
	}{{reports.Inconclusive, "error"}, {reports.Regression, "error"}, {reports.Improved, "notice"}} {
		for _, c := range j.Checks {
			if c.Outcome != kind.outcome {
				continue
			}
			title := fmt.Sprintf("%s: %s", c.Outcome, subject(c))
			text := fmt.Sprintf("expected %s, got %s", c.Expected, c.Got)
			if c.Reason != "" {
				text += ". " + c.Reason
			}
			fmt.Fprintf(&b, "::%s title=%s::%s\n", kind.command, annotationProperty(title), annotationData(text))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// annotationData escapes a command's text as GitHub's toolkit does, after
// everything invisible was made visible: the text can neither end the line nor
// hold an escape of its own.
func annotationData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(reports.Line(s))
}

// annotationProperty escapes a command's property, which : and , would end.
func annotationProperty(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(annotationData(s))
}
