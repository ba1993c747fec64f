// Package progress tells people how far long work has come.
//
// Policy: on a terminal a bar for each thing that comes along at the same time,
// elsewhere a line every tenth. Nothing here is kept, and no figure of a report
// comes from it.
package progress

import (
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/metrics/text"
	"github.com/disteval/disteval/reports"
)

// Run shows a run of this machine, model by model. It is an eval.Observer.
type Run struct {
	w    io.Writer
	tty  bool
	plan eval.Plan
	log  *slog.Logger

	queries map[string]int // index by ID

	mu     sync.Mutex
	scorer text.Scorer
	words  text.Words
	screen *screen
	models map[string]*course // by name
}

// course is how far one model has come.
type course struct {
	bar      *progressbar.ProgressBar // nil between phases and off a terminal
	start    time.Time
	open     int // questions of this process to the model
	total    int
	received int
	right    int
	failed   int
	tenth    int // the last tenth told
}

// NewRun shows the run of a plan.
func NewRun(w io.Writer, tty bool, plan eval.Plan, log *slog.Logger) *Run {
	p := &Run{w: w, tty: tty, plan: plan, log: log, queries: make(map[string]int, len(plan.Queries.Queries)),
		screen: &screen{w: w}, models: make(map[string]*course)}
	for _, m := range plan.Models {
		p.models[m.Name] = new(course)
	}
	for i, q := range plan.Queries.Queries {
		p.queries[q.ID] = i
	}
	return p
}

// PhaseBegun tells of a phase and begins the bar with the answers.
func (p *Run) PhaseBegun(m eval.Model, name eval.PhaseName, open, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log.Debug("phase", "model", m.Name, "phase", name)
	c := p.models[m.Name]
	switch name {
	case eval.PhaseLoad:
		p.screen.printf("%s: loading %s\n", inert(m.Name), inert(m.Model))
	case eval.PhaseProbe:
		p.endBar(m.Name)
		p.screen.printf("%s: asking for probabilities, %d queries\n", inert(m.Name), open)
		p.begin(m, open)
	case eval.PhaseAnswer:
		*c = course{bar: c.bar, start: time.Now(), open: open, total: total}
		if open < total {
			p.screen.printf("%s: %d of %d replies are there already\n", inert(m.Name), total-open, total)
		}
		p.begin(m, total)
		if c.bar != nil {
			_ = c.bar.Set(total - open) // what there is counts as well
		}
	}
}

func (p *Run) begin(m eval.Model, total int) {
	if p.tty {
		p.models[m.Name].bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(p.screen.line(m.Name)), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
			progressbar.OptionSetItsString("q"), progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionFullWidth(), progressbar.OptionSetDescription(inert(m.Name)))
	}
}

// WarmupFailed says that the model is asked without having been warmed up.
func (p *Run) WarmupFailed(m eval.Model, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.screen.printf("%s: the warm-up failed, the questions are still asked: %s\n", inert(m.Name), inert(err.Error()))
}

// ReplyReceived moves the bar on.
func (p *Run) ReplyReceived(m eval.Model, r eval.Reply) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.models[m.Name]
	c.received++
	if r.Failure != nil {
		c.failed++
		p.log.Debug("no answer", "model", m.Name, "query", r.Query, "attempts", r.Timing.Attempts, "failure", r.Failure.Error())
	} else if p.keywordIn(r) {
		c.right++
	}
	if c.bar != nil {
		c.bar.Describe(fmt.Sprintf("%s  %s", inert(m.Name), c.running()))
		_ = c.bar.Add(1) // a bar that cannot be drawn is no reason to stop
		return
	}
	if tenth := 10 * c.received / c.open; tenth > c.tenth {
		c.tenth = tenth
		rate := float64(c.received) / time.Since(c.start).Seconds()
		left := time.Duration(float64(c.open-c.received) / rate * float64(time.Second))
		p.screen.printf("%s: %d of %d, %.3g/s, %s left, %s\n", inert(m.Name), c.total-c.open+c.received, c.total, rate, elapsed(left), c.running())
	}
}

// ProbeReceived is told of at the log level debug alone where it failed: probes
// are fast where they are exact, and their number is the queries'.
func (p *Run) ProbeReceived(m eval.Model, r eval.Probe) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Failure != nil {
		p.log.Debug("no probabilities", "model", m.Name, "query", r.Query, "failure", r.Failure.Error())
	}
	if c := p.models[m.Name]; c.bar != nil {
		_ = c.bar.Add(1) // as above
	}
}

// keywordIn is em for the running figure; the scores are computed later from
// what is stored.
func (p *Run) keywordIn(r eval.Reply) bool {
	q := p.plan.Queries.Queries[p.queries[r.Query]]
	scored := scoring.Config{IncludePrompt: p.plan.Scoring.IncludePrompt}.Text(q.Prompt, r.Text)
	p.words.Reset(scored)
	return p.scorer.Keyword(q.Keyword, q.Aliases, scored, &p.words).Found
}

func (c *course) running() string {
	s := "EM -"
	if n := c.received - c.failed; n > 0 {
		s = fmt.Sprintf("EM %.3f", float64(c.right)/float64(n))
	}
	if c.failed > 0 {
		s += fmt.Sprintf(", %d failed", c.failed)
	}
	return s
}

// ModelEnded ends the bar.
func (p *Run) ModelEnded(m eval.Model, gaveUp string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endBar(m.Name)
	if gaveUp != "" {
		p.screen.printf("%s: given up after %s\n", inert(m.Name), inert(gaveUp))
	}
}

// Close ends the bars.
func (p *Run) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name := range p.models {
		p.endBar(name)
	}
}

func (p *Run) endBar(model string) {
	if c := p.models[model]; c.bar != nil {
		_ = c.bar.Exit()
		c.bar = nil
		p.screen.end(model)
	}
}

// elapsed is for messages: whole milliseconds below a second, then tenths.
func elapsed(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}

// inert makes text from outside one line that does nothing to a terminal.
func inert(s string) string { return reports.Line(s) }
