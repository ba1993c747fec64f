// Package junit writes JUnit XML, which build servers show as tests.
//
// Policy: there are two files. In that of the judgement the gate's checks are
// the tests: a regression is a failure, and what is inconclusive an error. In
// that of the replies every query of every model is a test: a wrong reply is a
// failure, a query without an answer an error, an unscored reply skipped. Text is untrusted: invisible characters
// become visible escapes, so that the file is valid XML 1.0 whatever a model
// wrote.
package junit

import (
	"bufio"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

// Write writes the checks of the run's judgement.
func Write(_ context.Context, w io.Writer, r reports.Report) error {
	if r.Judgement == nil {
		return fmt.Errorf("write the judgement of run %s: it was not judged", r.RunID)
	}
	return write(w, r, func(out *writer) error {
		out.checks(*r.Judgement)
		return nil
	})
}

// WriteReplies writes a test for every reply.
func WriteReplies(ctx context.Context, w io.Writer, r reports.Report) error {
	return write(w, r, func(out *writer) error {
		if err := out.replies(ctx, r); err != nil {
			return fmt.Errorf("write the replies of run %s: %w", r.RunID, err)
		}
		return nil
	})
}

func write(w io.Writer, r reports.Report, suites func(*writer) error) error {
	out := &writer{Writer: bufio.NewWriter(w)}
	out.print(xml.Header)
	out.open("testsuites", "name", "disteval "+r.RunID)
	if err := suites(out); err != nil {
		return err
	}
	out.print("</testsuites>\n")
	return out.Flush()
}

// writer writes elements; bufio keeps the first error for Flush.
type writer struct{ *bufio.Writer }

func (w *writer) print(s string) { _, _ = w.WriteString(s) }

// open writes a start tag; attributes are names and values in turn.
func (w *writer) open(name string, attributes ...string) {
	w.print("<" + name)
	for i := 0; i < len(attributes); i += 2 {
		w.print(" " + attributes[i] + `="` + escape(reports.Visible(attributes[i+1])) + `"`)
	}
	w.print(">\n")
}

func (w *writer) suite(name string, c counts) {
	w.open("testsuite", "name", name, "tests", fmt.Sprint(c.tests), "failures", fmt.Sprint(c.failures),
		"errors", fmt.Sprint(c.errors), "skipped", fmt.Sprint(c.skipped))
}

// result is how a test came out: the element that says so, empty for a pass.
type result struct{ element, message, text string }

func (w *writer) test(class, name, time string, res result) {
	attributes := []string{"classname", class, "name", name}
	if time != "" {
		attributes = append(attributes, "time", time)
	}
	w.open("testcase", attributes...)
	if res.element != "" {
		w.open(res.element, "message", res.message)
		w.print(escape(reports.VisibleText(res.text)) + "</" + res.element + ">\n")
	}
	w.print("</testcase>\n")
}

type counts struct{ tests, failures, errors, skipped int }

func (c *counts) add(element string) {
	c.tests++
	switch element {
	case "failure":
		c.failures++
	case "error":
		c.errors++
	case "skipped":
		c.skipped++
	}
}

func (w *writer) checks(j reports.Judgement) {
	var c counts
	for _, check := range j.Checks {
		c.add(checkResult(check).element)
	}
	w.suite("gate", c)
	for _, check := range j.Checks {
		class := "gate"
		if check.Model != "" {
			class += "." + check.Model
		}
		w.test(class, strings.TrimSpace(check.Measure+" "+check.Query), "", checkResult(check))
	}
	w.print("</testsuite>\n")
}

func checkResult(c reports.Check) result {
	said := fmt.Sprintf("%s: expected %s, got %s", c.Outcome, c.Expected, c.Got)
	switch c.Outcome {
	case reports.Pass, reports.Improved:
		return result{}
	case reports.Regression:
		return result{"failure", said, c.Reason}
	}
	return result{"error", said, c.Reason}
}

// replies counts a model's tests before it writes them, since a suite's tag
// states their number: the replies are read twice.
func (w *writer) replies(ctx context.Context, r reports.Report) error {
	count := make(map[string]*counts)
	for s, err := range r.Replies(ctx) {
		if err != nil {
			return err
		}
		model := s.Reply.JobID.Model
		if count[model] == nil {
			count[model] = &counts{}
		}
		count[model].add(replyResult(s).element)
	}
	w.whole(r)
	open := ""
	for s, err := range r.Replies(ctx) {
		if err != nil {
			return err
		}
		id := s.Reply.JobID
		if id.Model != open {
			if open != "" {
				w.print("</testsuite>\n")
			}
			open = id.Model
			w.suite(id.Model, *count[id.Model])
		}
		w.test(id.Model, reports.Sampled(s).ID, fmt.Sprintf("%.3f", latency(s.Reply)), replyResult(s))
	}
	if open != "" {
		w.print("</testsuite>\n")
	}
	return nil
}

// whole is the test that no query is without an outcome: there is no test of
// what is not there.
func (w *writer) whole(r reports.Report) {
	var missing []string
	for _, m := range r.Models {
		if m.Missing > 0 {
			missing = append(missing, fmt.Sprintf("%s: %d queries", m.Model.Name, m.Missing))
		}
	}
	res := result{}
	if r.Status != reports.Complete || len(missing) > 0 {
		res = result{"error", "the run is partial", strings.Join(missing, "\n")}
	}
	var c counts
	c.add(res.element)
	w.suite("run", c)
	w.test("run", "every query has an outcome", "", res)
	w.print("</testsuite>\n")
}

// latency is in seconds, as JUnit wants it; 0 for what was never asked.
func latency(r eval.Reply) float64 {
	if r.Timing.Attempts == 0 {
		return 0
	}
	return r.Timing.Latency().Seconds()
}

func replyResult(s eval.ScoredReply) result {
	said := s.Query.Prompt + " => " + s.Reply.Text
	if f := s.Reply.Failure; f != nil {
		return result{"error", "no answer: " + string(f.Kind), f.Message}
	}
	em := metrics.Find(s.Scores, metrics.EM)
	switch {
	case em.Status != metrics.Scored:
		return result{"skipped", "not scored: " + em.Reason, said}
	case em.Value == 1:
		return result{}
	}
	return result{"failure", "the reply is without the keyword " + s.Query.Keyword, said}
}

// escape makes text of it whatever stands in it; > is among what is escaped,
// so that ]]> ends nothing. U+FFFE and U+FFFF, which XML cannot hold, become
// U+FFFD.
func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder does not fail
	return b.String()
}
