package progress

import (
	"fmt"
	"io"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"
)

// Steps tells how far each step of a piece of work has come.
type Steps struct {
	w     io.Writer
	tty   bool
	name  string
	count bool // steps are not in bytes: every one is shown

	step  string
	total int64
	bar   *progressbar.ProgressBar // nil between steps and off a terminal
	tenth int64                    // the last tenth told
}

// NewBytes is for steps in bytes, of what has this name. Those below a megabyte
// are over before they could be read, and are left out.
func NewBytes(w io.Writer, tty bool, name string) *Steps {
	return &Steps{w: w, tty: tty, name: inert(name)}
}

// NewCounts is for steps that count other things.
func NewCounts(w io.Writer, tty bool, name string) *Steps {
	return &Steps{w: w, tty: tty, name: inert(name), count: true}
}

const shownBytes = 1 << 20 // smallest step that is shown

// say is a number in the units of the step.
func (p *Steps) say(n int64) string {
	if p.count {
		return humanize.Comma(n)
	}
	return humanize.Bytes(uint64(max(n, 0)))
}

// Tell takes how far a step has come; a total of 0 is not known.
func (p *Steps) Tell(step string, done, total int64) {
	if !p.count && total > 0 && total < shownBytes {
		return
	}
	if step != p.step || total != p.total {
		p.begin(step, total)
	}
	switch {
	case total <= 0:
	case p.bar != nil:
		_ = p.bar.Set64(min(done, total)) // a bar that cannot be drawn is no reason to stop
	case 10*done/total > p.tenth:
		p.tenth = 10 * done / total
		fmt.Fprintf(p.w, "%s: %s: %s of %s\n", p.name, inert(step), p.say(done), p.say(total))
	}
}

// begin ends the bar of the last step and begins that of the next.
func (p *Steps) begin(step string, total int64) {
	p.Close()
	p.step, p.total, p.tenth = step, total, 0
	switch {
	case total <= 0:
		fmt.Fprintf(p.w, "%s: %s\n", p.name, inert(step))
	case p.tty:
		p.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(p.w), progressbar.OptionShowBytes(!p.count), progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth(),
			progressbar.OptionSetDescription(p.name+": "+inert(step)))
	}
}

// Close ends the last step.
func (p *Steps) Close() {
	if p.bar != nil {
		_ = p.bar.Exit()
		fmt.Fprintln(p.w)
		p.bar = nil
	}
}
