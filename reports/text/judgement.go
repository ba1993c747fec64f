package text

import (
	"fmt"
	"io"
	"strings"

	"github.com/disteval/disteval/reports"
)

// WriteJudgement writes what the gate found for the terminal: every check, what
// did not pass with its reason, the paired comparison with the queries that
// changed, and the judgement as the last line.
func WriteJudgement(w io.Writer, j reports.Judgement, color bool) error {
	var b strings.Builder
	paint := painter(color)
	for _, c := range j.Checks {
		fmt.Fprintf(&b, "%s  %s: expected %s, got %s\n", paint.outcome(c.Outcome), fit(subject(c), 60),
			reports.Line(c.Expected), reports.Line(c.Got))
		if c.Reason != "" {
			fmt.Fprintf(&b, "%14s%s\n", "", reports.Line(c.Reason))
		}
	}
	for _, p := range j.Paired {
		fmt.Fprintf(&b, "\n%s against run %s: %s\n", paint.bold(reports.Line(p.Model)), reports.Line(j.Baseline), pairedSentence(p))
		terminalChanges(&b, "newly wrong", p.NewlyWrong)
		terminalChanges(&b, "newly right", p.NewlyRight)
	}
	if len(j.Unjudged) > 0 {
		fmt.Fprintf(&b, "\nnot judged, since nothing is expected of them: %s\n", reports.Line(strings.Join(j.Unjudged, ", ")))
	}
	fmt.Fprintf(&b, "\n%s  %s\n", paint.outcome(j.Status()), j.Counts())
	_, err := io.WriteString(w, b.String())
	return err
}

func terminalChanges(b *strings.Builder, what string, changes []reports.Change) {
	if len(changes) == 0 {
		return
	}
	fmt.Fprintf(b, "  %d %s:\n", len(changes), what)
	for _, c := range changes[:min(mostChanges, len(changes))] {
		fmt.Fprintf(b, "    %s  %s => %s (keyword %s)\n", reports.Line(c.Query), reports.Line(reports.Clip(c.Prompt, 60)),
			reports.Line(reports.Clip(c.Reply, 60)), reports.Line(c.Keyword))
	}
	if more := andMore(len(changes), mostChanges); more != "" {
		b.WriteString("    " + more + "\n")
	}
}

// outcome is an outcome in its colour, as wide as the longest.
func (p painter) outcome(o reports.Outcome) string {
	s := fmt.Sprintf("%-12s", o)
	switch o {
	case reports.Regression:
		return p.red(s)
	case reports.Inconclusive:
		return p.yellow(s)
	}
	return p.green(s)
}

// subject names what a check is about.
func subject(c reports.Check) string {
	if c.Model == "" {
		return "run " + checkName(c)
	}
	return c.Model + " " + checkName(c)
}

func checkName(c reports.Check) string {
	if c.Query != "" {
		return c.Measure + " " + c.Query
	}
	return c.Measure
}

// pairedSentence says whether a difference to the baseline is noise, and how
// small a difference this many queries could show.
func pairedSentence(p reports.Paired) string {
	s := fmt.Sprintf("em %s, before %s; %d newly wrong, %d newly right of %d queries, p %s (%s)",
		reports.Fixed(&p.After, 3), reports.Fixed(&p.Before, 3), len(p.NewlyWrong), len(p.NewlyRight), p.N,
		pText(p.P), p.Test)
	if p.PHolm != nil && *p.PHolm != p.P {
		s += ", corrected for the number of models " + pText(*p.PHolm)
	}
	if p.PHolm == nil || *p.PHolm >= 0.05 {
		s += ", within noise"
	}
	if p.Detectable == nil {
		return s + fmt.Sprintf("; with so few queries no difference could be told from noise at %s discordance", reports.Percent(&p.Discordance, 0))
	}
	return s + fmt.Sprintf("; n = %d finds differences from %s points on with 80 %% power, if %s of the queries differ",
		p.N, strings.TrimSuffix(reports.Percent(p.Detectable, 1), " %"), reports.Percent(&p.Discordance, 0))
}

func pText(p float64) string {
	if s := reports.PValue(&p); s[0] == '<' {
		return s
	}
	return "= " + reports.PValue(&p)
}
