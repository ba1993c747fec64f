package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/hub"
	"github.com/disteval/disteval/eval/ollama"
	"github.com/disteval/disteval/eval/session"
)

// pullModels gets every model of a models file that its server lacks. One that
// cannot be fetched does not stop the others.
func (a *app) pullModels(ctx context.Context, file string) error {
	plan, err := a.loadPlan(file)
	if err != nil {
		return err
	}
	cfg, err := hub.FromEnv()
	if err != nil {
		return eval.WithHint(err, "set HOME or XDG_CACHE_HOME")
	}
	p := &session.Puller{Providers: a.session().Providers, Hub: cfg, Queries: plan.Queries.Queries}
	byName := func(name string) eval.Model {
		return plan.Models[slices.IndexFunc(plan.Models, func(m eval.Model) bool { return m.Name == name })]
	}
	code := exitDone
	silent := make(map[string]bool) // servers that did not answer, by address
	for _, m := range plan.Models {
		bar, count := newByteProgress(a.err, terminal(a.err), m.Name), newCountProgress(a.err, terminal(a.err), m.Name)
		p.Tell, p.Count = bar.tell, count.tell
		said, err := p.Pull(ctx, m, byName)
		bar.close()
		count.close()
		for _, line := range said {
			fmt.Fprintf(a.out, "%s: %s\n", inert(m.Name), inert(line))
		}
		var server *ollama.ServerError
		switch {
		case ctx.Err() != nil:
			return eval.WithHint(fmt.Errorf("pull %s: %w", m.Name, eval.ErrInterrupted), "run the same command again: what came is kept")
		case errors.As(err, &server) && silent[server.Address]: // said for the first of its models
		case err != nil:
			code = max(code, a.exit(pullFault(m, err)))
			if server != nil {
				silent[server.Address] = true
			}
		}
	}
	if code != exitDone {
		return exitError(code)
	}
	return nil
}

// pullFault adds the model and the next step to an error.
func pullFault(m eval.Model, err error) error {
	hint := hintOf(err)
	var create *ollama.CreateError
	switch {
	case errors.As(err, &create):
		hint = "get the files again if they are damaged; where Ollama cannot convert a tokenizer or architecture,\n" +
			"convert the model to GGUF (llama.cpp's convert_hf_to_gguf.py does), and name that file as source:"
	case hint == "":
		hint = "check the model's name and the server's connection, then run the same command again: what came is kept"
	}
	err = fmt.Errorf("pull %s: %w", m.Name, err)
	var usage interface{ BadInput() }
	if errors.As(err, &usage) {
		return eval.BadInput(err, hint)
	}
	return eval.WithHint(err, hint)
}

// byteProgress tells on stderr how far a step has come: a bar in bytes on a
// terminal, a line every tenth elsewhere. Steps below a megabyte are over
// before they could be read, and are left out.
type byteProgress struct {
	w     io.Writer
	tty   bool
	model string
	count bool // of steps that are no bytes: every one is shown

	step  string
	total int64
	bar   *progressbar.ProgressBar // nil between steps and off a terminal
	tenth int64                    // the last tenth told
}

func newByteProgress(w io.Writer, tty bool, model string) *byteProgress {
	return &byteProgress{w: w, tty: tty, model: inert(model)}
}

// newCountProgress counts things other than bytes.
func newCountProgress(w io.Writer, tty bool, model string) *byteProgress {
	return &byteProgress{w: w, tty: tty, model: inert(model), count: true}
}

const shownBytes = 1 << 20 // smallest step that is shown

// say is a number in the units of the step.
func (p *byteProgress) say(n int64) string {
	if p.count {
		return humanize.Comma(n)
	}
	return humanize.Bytes(uint64(max(n, 0)))
}

func (p *byteProgress) tell(step string, done, total int64) {
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
		fmt.Fprintf(p.w, "%s: %s: %s of %s\n", p.model, inert(step), p.say(done), p.say(total))
	}
}

// begin ends the bar of the last step and begins that of the next.
func (p *byteProgress) begin(step string, total int64) {
	p.close()
	p.step, p.total, p.tenth = step, total, 0
	switch {
	case total <= 0:
		fmt.Fprintf(p.w, "%s: %s\n", p.model, inert(step))
	case p.tty:
		p.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(p.w), progressbar.OptionShowBytes(!p.count), progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth(),
			progressbar.OptionSetDescription(p.model+": "+inert(step)))
	}
}

func (p *byteProgress) close() {
	if p.bar != nil {
		_ = p.bar.Exit()
		fmt.Fprintln(p.w)
		p.bar = nil
	}
}
