package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/hub"
	"github.com/disteval/disteval/eval/session"
)

// doctorOptions are the flags of models doctor.
type doctorOptions struct {
	format string
	text   string // file of sentences; empty: the built-in facts
}

func newModelsDoctorCmd(a *app) *cobra.Command {
	var o doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor SOURCE...",
		Short: "Examine a checkpoint: is it what it should be?",
		Long: `Examine hf://OWNER/REPO, a folder or a .gguf file: shapes, numbers, tokenizer,
and the layout of the rotary embedding, for which the model is run here.

Exit codes: 0 sound, perhaps with remarks; 3 a fault was found; 2 a source
cannot be read.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return exactArgs("SOURCE")(cmd, args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.doctorModels(cmd.Context(), args, o) },
	}
	cmd.Flags().StringVar(&o.format, "format", "text", "text or json")
	cmd.Flags().StringVar(&o.text, "text", "", "file of sentences that the model should know, one a line (default: the facts of the built-in queries)")
	return cmd
}

// doctorModels examines each source; one that cannot be read keeps no other
// from being examined, and decides the exit code.
func (a *app) doctorModels(ctx context.Context, sources []string, o doctorOptions) error {
	if o.format != "text" && o.format != "json" {
		return eval.BadInput(fmt.Errorf("--format %q: not text or json", o.format), "")
	}
	cfg, err := hub.FromEnv()
	if err != nil {
		return eval.WithHint(err, "set HOME or XDG_CACHE_HOME")
	}
	var sentences []string
	if o.text != "" {
		if sentences, err = session.Sentences(o.text); err != nil {
			return err
		}
	}
	unreadable, fault := false, false
	for _, source := range sources {
		bytes, counts := newByteProgress(a.err, terminal(a.err), source), newCountProgress(a.err, terminal(a.err), source)
		d, err := session.Doctor(ctx, cfg, source, sentences, bytes.tell, counts.tell)
		bytes.close()
		counts.close()
		switch {
		case ctx.Err() != nil:
			return eval.WithHint(fmt.Errorf("examine %s: %w", source, eval.ErrInterrupted), "")
		case err != nil:
			a.exit(fmt.Errorf("examine %s: %w", source, err))
			unreadable = true
			continue
		}
		fault = fault || !d.Sound
		if err := writeDiagnosis(a.out, d, o.format); err != nil {
			return err
		}
	}
	switch {
	case unreadable:
		return exitError(exitUsage)
	case fault:
		return exitError(exitRegression)
	}
	return nil
}

func writeDiagnosis(w io.Writer, d *hub.Diagnosis, format string) error {
	if format == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(d)
	}
	var b strings.Builder
	verdict := "sound"
	if !d.Sound {
		verdict = "at fault"
	}
	fmt.Fprintf(&b, "%s: %s\n", inert(d.Source), verdict)
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(d.Types)) {
		kinds = append(kinds, fmt.Sprintf("%d %s", d.Types[kind], inert(kind)))
	}
	fmt.Fprintf(&b, "  %s, %s, %s parameters in %s (tensors: %s)\n", d.Format, inert(orDash(d.Architecture)), humanize.Comma(d.Parameters), humanize.Bytes(uint64(max(d.Bytes, 0))), strings.Join(kinds, ", "))
	for _, f := range d.Findings {
		where := ""
		if f.Where != "" {
			where = " " + inert(f.Where) + ":"
		}
		fmt.Fprintf(&b, "  %s (%s):%s %s\n    do: %s\n", f.Level, f.Check, where, inert(f.What), inert(f.Mend))
	}
	if d.Rotary != nil && d.Rotary.Undecided == "" {
		for i, r := range d.Rotary.Readings {
			stored := ""
			if i == 0 {
				stored = ", as stored"
			}
			fmt.Fprintf(&b, "  read in %s%s: %.2f bits per byte\n", r.Layout, stored, r.BitsPerByte)
		}
	}
	for _, s := range d.Context {
		fmt.Fprintf(&b, "  positions %d to %d: %.2f bits per byte (%d tokens)\n", s.From, s.To, s.BitsPerByte, s.Tokens)
	}
	for _, n := range d.NotDone {
		fmt.Fprintf(&b, "  not done: %s\n", inert(n))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
