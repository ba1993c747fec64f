package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/disteval/disteval/cmd/internal/progress"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/hub"
	"github.com/disteval/disteval/eval/session"
	"github.com/disteval/disteval/reports/text"
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
		bytes, counts := progress.NewBytes(a.err, terminal(a.err), source), progress.NewCounts(a.err, terminal(a.err), source)
		d, err := session.Doctor(ctx, cfg, source, sentences, bytes.Tell, counts.Tell)
		bytes.Close()
		counts.Close()
		switch {
		case ctx.Err() != nil:
			return eval.WithHint(fmt.Errorf("examine %s: %w", source, eval.ErrInterrupted), "")
		case err != nil:
			a.exit(fmt.Errorf("examine %s: %w", source, err))
			unreadable = true
			continue
		}
		fault = fault || !d.Sound
		write := text.WriteDiagnosis
		if o.format == "json" {
			write = func(w io.Writer, d *hub.Diagnosis) error { return text.WriteJSON(w, d) }
		}
		if err := write(a.out, d); err != nil {
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
