// Package cli is the disteval command: one file per command, and here what
// they share.
//
// Policy: results go to stdout, progress and messages to stderr. Every error
// says what was tried, on what, and the next step; what kind of error it is
// becomes the exit code in one place, exit.go.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/session"
	"github.com/disteval/disteval/queries"
)

// app is what the commands share: the streams, the settings and the clock.
type app struct {
	in       io.Reader
	out, err io.Writer
	settings *settings
	log      *slog.Logger
	now      func() time.Time
	drain    context.Context // done at the first interrupt
	memory   session.Memory
}

// Main runs the command that os.Args names and returns its exit code.
func Main() int {
	session.BeginAtEase()
	drain, stop := interrupts()
	defer stop()
	return run(drain, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

// interrupts returns a context that is done at the first interrupt or when the
// terminal hangs up. At the second interrupt the program leaves at once, with
// all but the last few milliseconds' replies stored. A second hang-up says
// nothing new, since the shell and the kernel both send one.
func interrupts() (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as nohup does
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() {
		for s := range signals {
			if ctx.Err() != nil && s != syscall.SIGHUP {
				os.Exit(exitInterrupted)
			}
			cancel()
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel()
	}
}

// run executes one command line.
func run(drain context.Context, args []string, in io.Reader, out, errw io.Writer) int {
	a := &app{in: in, out: out, err: errw, now: emissions.NewClock().Now, drain: drain}
	root := newRootCmd(a)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errw)
	return a.exit(root.ExecuteContext(drain))
}

func newRootCmd(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "disteval",
		Short: "Compare distilled, pruned or quantised language models with their teacher",
		Long: `disteval asks language models the same factual completions, scores the replies,
meters the energy, stores everything, reports it and judges it in CI.

  disteval run --models models.yaml
  disteval gate runs/<id> --expected expected.yaml

Exit codes: 0 done or passed; 1 it failed; 2 wrong usage, configuration or input
file; 3 the gate found a regression, the audit an implausible row, or models
doctor a fault; 4 the gate could not tell; 130 interrupted, with everything
received so far stored.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.Version = thisBuild().String() // so that --version does what it does elsewhere
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(wrongFlag)
	addSettingFlags(root.PersistentFlags())
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if cmd.Name() == cobra.ShellCompRequestCmd || cmd.Name() == cobra.ShellCompNoDescRequestCmd {
			return nil
		}
		s, err := loadSettings(cmd.Root().PersistentFlags())
		if err != nil {
			return err
		}
		a.settings = s
		a.log = slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: s.logLevel()}))
		return nil
	}
	root.AddCommand(newRunCmd(a), newWorkerCmd(a), newScoreCmd(a), newReportCmd(a), newExplainCmd(a), newGateCmd(a), newCommentCmd(a), newReviewCmd(a),
		newAuditCmd(a), newModelsCmd(a), newQueriesCmd(a), newEnergyCmd(a), newInitCmd(a), newDoctorCmd(a), newVersionCmd(a))
	return root
}

// newGroupCmd makes a command that only has commands of its own.
func newGroupCmd(use, short string, commands ...*cobra.Command) *cobra.Command {
	names := make([]string, len(commands))
	for i, c := range commands {
		names[i] = c.Name()
	}
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs, RunE: func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return exactArgs(strings.Join(names, "|"))(cmd, args)
		}
		return unknownCommand(cmd, args[0])
	}}
	cmd.AddCommand(commands...)
	return cmd
}

// unknownCommand says that a command has no such command, and which is meant.
func unknownCommand(cmd *cobra.Command, name string) error {
	var known []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() || c.Name() == "help" {
			known = append(known, c.Name())
		}
	}
	hint := cmd.CommandPath() + " --help lists the commands"
	if best := queries.Nearest(name, known); best != "" {
		hint = "did you mean " + cmd.CommandPath() + " " + best + "? " + hint
	}
	of := ""
	if cmd.HasParent() {
		of = cmd.Name() + ": "
	}
	return eval.BadInput(fmt.Errorf("%sunknown command %q", of, name), hint)
}

// wrongFlag says what is wrong with a flag, and of an unknown one which is meant.
func wrongFlag(cmd *cobra.Command, err error) error {
	hint := "see " + cmd.CommandPath() + " --help"
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		var known []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
		if best := queries.Nearest(unknown.GetSpecifiedName(), known); best != "" {
			hint = "did you mean --" + best + "? " + hint
		}
	}
	return eval.BadInput(err, hint)
}

// exactArgs makes a wrong number of arguments a usage error.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		hint := "see " + cmd.CommandPath() + " --help"
		if len(args) > len(names) {
			return eval.BadInput(fmt.Errorf("%s: unexpected argument %q", cmd.CommandPath(), args[len(names)]), hint)
		}
		if len(args) < len(names) {
			return eval.BadInput(fmt.Errorf("%s: %s is missing", cmd.CommandPath(), names[len(args)]), hint)
		}
		return nil
	}
}

func atMostOne(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return exactArgs("FILE")(cmd, args)
	}
	return nil
}

// terminal reports whether w is one.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// terminalSize is how many columns and rows a terminal has now; 0 where that is
// not known.
func terminalSize(w io.Writer) (columns, rows int) {
	if f, ok := w.(*os.File); ok {
		columns, rows, _ = term.GetSize(int(f.Fd())) // 0 beside an error
	}
	return columns, rows
}

// color reports whether w wants colours.
func (a *app) color(w io.Writer) bool {
	switch a.settings.Color.Value {
	case "always":
		return true
	case "never":
		return false
	}
	return terminal(w) && os.Getenv("NO_COLOR") == ""
}
