package text

import (
	"fmt"
	"io"
	"strings"

	"github.com/disteval/disteval/reports"
)

// mostAnnotations is how many errors and how many notices GitHub shows of one
// step; the others it drops in silence.
const mostAnnotations = 10

// WriteAnnotations writes the judgement as workflow commands of GitHub Actions:
// an error for each check that is inconclusive or a regression, a notice for
// each that improved, and the last of too many says how many more there are.
// They count only on the standard output of a step; the step's summary is
// WriteMarkdown.
func WriteAnnotations(w io.Writer, j reports.Judgement) error {
	var b strings.Builder
	for _, kind := range []struct {
		command  string
		outcomes []reports.Outcome
	}{{"error", []reports.Outcome{reports.Inconclusive, reports.Regression}}, {"notice", []reports.Outcome{reports.Improved}}} {
		var checks []reports.Check
		for _, outcome := range kind.outcomes {
			for _, c := range j.Checks {
				if c.Outcome == outcome {
					checks = append(checks, c)
				}
			}
		}
		most := mostAnnotations
		if len(checks) > most {
			most--
		}
		for _, c := range checks[:min(most, len(checks))] {
			text := fmt.Sprintf("expected %s, got %s", c.Expected, c.Got)
			if c.Reason != "" {
				text += ". " + c.Reason
			}
			annotate(&b, kind.command, fmt.Sprintf("%s: %s", c.Outcome, subject(c)), text)
		}
		if more := andMore(len(checks), most); more != "" {
			annotate(&b, kind.command, "disteval gate", more+": report.html and junit.xml list them")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteWarning writes one annotation that is about the job, not the models.
func WriteWarning(w io.Writer, title, text string) error {
	var b strings.Builder
	annotate(&b, "warning", title, text)
	_, err := io.WriteString(w, b.String())
	return err
}

func annotate(b *strings.Builder, command, title, text string) {
	fmt.Fprintf(b, "::%s title=%s::%s\n", command, annotationProperty(clip(title)), annotationData(clip(text)))
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
