package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/builtin"
	"github.com/disteval/disteval/eval/hub"
	"github.com/disteval/disteval/eval/ollama"
	"github.com/disteval/disteval/eval/session"
)

// pullModels gets every model of a models file that its server lacks. One that
// cannot be got does not keep the others from being tried.
func (a *app) pullModels(ctx context.Context, file string) error {
	plan, err := a.loadPlan(file)
	if err != nil {
		return err
	}
	cfg, err := hub.FromEnv()
	if err != nil {
		return eval.WithHint(err, "set HOME or XDG_CACHE_HOME")
	}
	p := &puller{a: a, providers: a.session().Providers, dir: filepath.Dir(plan.Source), hub: cfg}
	code := exitDone
	silent := make(map[string]bool) // servers that did not answer, by address
	for _, m := range plan.Models {
		bar := newByteProgress(a.err, terminal(a.err), m.Name)
		said, err := p.pull(ctx, m, bar.tell)
		bar.close()
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
		default:
			fmt.Fprintf(a.out, "%s: %s\n", inert(m.Name), inert(said))
		}
	}
	if code != exitDone {
		return exitError(code)
	}
	return nil
}

// puller gets models, one after the other.
type puller struct {
	a         *app
	providers session.Providers
	dir       string // of the models file
	hub       hub.Config
}

// pull gets one model and says what it did.
func (p *puller) pull(ctx context.Context, m eval.Model, tell hub.Progress) (string, error) {
	if m.Provider == eval.ProviderBuiltin {
		if _, err := (builtin.Provider{}).Resolve(ctx, []eval.Model{m}); err != nil {
			return "", err
		}
		return m.Model + " runs inside the program, nothing to pull", nil
	}
	c, err := p.providers[eval.ProviderOllama].(*ollama.Provider).Client(m.Host)
	if err != nil {
		return "", err
	}
	digest, there, err := c.Find(ctx, m.Model)
	if err != nil {
		return "", err
	}
	if there {
		return fmt.Sprintf("%s is there already (%s)", m.Model, shortDigest(digest)), nil
	}
	if name, ok := strings.CutPrefix(m.Source, "ollama://"); ok || m.Source == "" {
		if err := pullByServer(ctx, c, name, m.Model, tell); err != nil {
			return "", err
		}
		return m.Model + " pulled", nil
	}
	files, err := p.files(ctx, m.Source, tell)
	if err != nil {
		return "", err
	}
	var blobs []ollama.Blob
	for _, f := range files.Files {
		blobs = append(blobs, ollama.Blob{Name: f.Name, Path: f.Path, Size: f.Size, SHA256: f.SHA256})
	}
	if err := c.Create(ctx, m.Model, blobs, files.Positions, ollama.PullProgress(tell)); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s created from %s", m.Model, m.Source), nil
}

// pullByServer has the server pull a model, and gives it the plan's name where
// the source has another.
func pullByServer(ctx context.Context, c *ollama.Client, source, name string, tell hub.Progress) error {
	if source == "" {
		source = name
	}
	_, there, err := c.Find(ctx, source)
	if err != nil {
		return err
	}
	if !there {
		if err := c.Pull(ctx, source, ollama.PullProgress(tell)); err != nil {
			return err
		}
	}
	if source == name {
		return nil
	}
	return c.Copy(ctx, source, name)
}

// files brings a model's files to this machine.
func (p *puller) files(ctx context.Context, source string, tell hub.Progress) (hub.Model, error) {
	h, err := hub.New(p.hub)
	if err != nil {
		return hub.Model{}, err
	}
	name, isHub := strings.CutPrefix(source, "hf://")
	switch {
	case isHub:
		ref, err := hub.ParseRef(name)
		if err != nil {
			return hub.Model{}, eval.BadInput(err, "write it like hf://HenryHHHH/DistilLlama")
		}
		return h.Get(ctx, ref, tell)
	case strings.Contains(source, "://"):
		return hub.Model{}, eval.BadInput(fmt.Errorf("source %q: unknown kind", source), "write ollama://NAME, hf://OWNER/REPO, a folder or a .gguf file")
	case !filepath.IsAbs(source):
		source = filepath.Join(p.dir, source)
	}
	return h.Local(ctx, source, tell)
}

// pullFault adds the model and the next step to an error.
func pullFault(m eval.Model, err error) error {
	hint := hintOf(err)
	var fault *hub.Error
	var create *ollama.CreateError
	switch {
	case errors.As(err, &fault):
		hint = fault.Hint
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

	step  string
	total int64
	bar   *progressbar.ProgressBar // nil between steps and off a terminal
	tenth int64                    // the last tenth told
}

func newByteProgress(w io.Writer, tty bool, model string) *byteProgress {
	return &byteProgress{w: w, tty: tty, model: inert(model)}
}

const shownBytes = 1 << 20 // smallest step that is shown

func (p *byteProgress) tell(step string, done, total int64) {
	if total > 0 && total < shownBytes {
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
		fmt.Fprintf(p.w, "%s: %s: %s of %s\n", p.model, inert(step), humanize.Bytes(uint64(max(done, 0))), humanize.Bytes(uint64(total)))
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
		p.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(p.w), progressbar.OptionShowBytes(true), progressbar.OptionShowCount(),
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
