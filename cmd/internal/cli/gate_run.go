package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/gate"
	"github.com/disteval/disteval/reports/text"
)

// gateOptions say what a run is judged by, or what is written from it.
type gateOptions struct {
	Expected string          // path of the expected file
	Paired   *reports.Report // earlier run to compare with query by query; nil: none
	AnyHost  bool            // judge times and energies of another machine too
	Color    bool

	Bless        bool // write Expected from the run instead
	BlessDigests bool
	BlessTime    bool
	BlessEnergy  bool
	BlessRight   bool

	GitHub      bool   // print annotations for GitHub Actions
	StepSummary string // file that GitHub shows as the step's summary; empty: none
}

// check refuses flags that would do nothing.
func (o gateOptions) check(baseline string) error {
	switch {
	case o.Expected == "":
		return eval.BadInput(errors.New("gate: --expected is missing"), "disteval gate RUN --expected expected.yaml")
	case !o.Bless && (o.BlessDigests || o.BlessTime || o.BlessEnergy || o.BlessRight):
		return eval.BadInput(errors.New("gate: --bless-digests, --bless-time, --bless-energy and --bless-right say what --bless writes"), "add --bless")
	case o.Bless && (baseline != "" || o.AnyHost):
		return eval.BadInput(errors.New("gate: --bless judges nothing, so that --paired and --any-host say nothing"), "judge first, then bless")
	}
	return nil
}

// onGitHub sets what GitHub Actions asks for in the environment.
func (o gateOptions) onGitHub(getenv func(string) string) gateOptions {
	if getenv("GITHUB_ACTIONS") != "" {
		o.GitHub, o.StepSummary = true, getenv("GITHUB_STEP_SUMMARY")
	}
	return o
}

// gateReport judges a run, or blesses it, and returns the exit code with the
// verdict, which is nil after a blessing. An error comes with the exit code
// that it stands for, too.
func gateReport(ctx context.Context, out, errw io.Writer, r reports.Report, o gateOptions) (code int, v *reports.Verdict, err error) {
	if o.Bless {
		code, err = blessRun(ctx, out, errw, r, o)
		return code, nil, err
	}
	expected, err := loadExpected(o.Expected)
	if err != nil {
		return codeOf(err), nil, err
	}
	verdict, err := gate.Check(ctx, r, expected, gate.Options{AnyHost: o.AnyHost, Baseline: o.Paired})
	if err != nil {
		return codeOf(err), nil, err
	}
	if err := text.WriteVerdict(out, verdict, o.Color); err != nil {
		return exitFailed, nil, err
	}
	if o.GitHub {
		if err := text.WriteAnnotations(out, verdict); err != nil {
			return exitFailed, nil, err
		}
		// The verdict stands without the summary.
		if err := stepSummary(o.StepSummary, r, verdict); err != nil {
			fmt.Fprintf(errw, "disteval: %s\n", inertLines(err.Error()))
		}
	}
	return verdict.ExitCode(), &verdict, nil
}

func loadExpected(path string) (gate.Expected, error) {
	expected, err := gate.Load(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return expected, eval.BadInput(fmt.Errorf("gate: %w", err), "make it from a run that you trust: disteval gate RUN --expected "+path+" --bless")
	case err != nil:
		return expected, eval.BadInput(fmt.Errorf("gate: %w", err), "docs/gate.md describes the file")
	}
	return expected, nil
}

// stepSummary adds the run's summary to the file that GitHub names.
func stepSummary(path string, r reports.Report, v reports.Verdict) (err error) {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write the step's summary: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return text.WriteMarkdown(f, r, &v)
}

// blessRun writes the expected file from a run and shows what changed.
func blessRun(ctx context.Context, out, errw io.Writer, r reports.Report, o gateOptions) (int, error) {
	existing, err := os.ReadFile(o.Expected)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return exitUsage, eval.BadInput(fmt.Errorf("gate --bless: %w", err), "")
	}
	blessed, changes, err := gate.Bless(ctx, r, existing, gate.BlessOptions{Name: o.Expected,
		Digests: o.BlessDigests, Time: o.BlessTime, Energy: o.BlessEnergy, Right: o.BlessRight})
	var invalid *gate.Error
	switch {
	case errors.As(err, &invalid):
		return exitUsage, eval.BadInput(fmt.Errorf("gate --bless: %w", err), "docs/gate.md describes the file")
	case err != nil:
		return exitFailed, fmt.Errorf("gate --bless: %w", err)
	}
	if bytes.Equal(existing, blessed) {
		_, err = fmt.Fprintf(out, "%s expects this run already; nothing to write\n", o.Expected)
		return exitDone, err
	}
	err = writeAtomic(o.Expected, func(w io.Writer) error { _, err := w.Write(blessed); return err })
	if err != nil {
		return exitFailed, fmt.Errorf("gate --bless: write %s: %w", o.Expected, err)
	}
	if _, err := io.WriteString(out, inertLines(changes)); err != nil {
		return exitFailed, err
	}
	fmt.Fprintf(errw, "wrote %s from run %s; read the change above before it is committed\n", o.Expected, r.RunID)
	return stillOutside(ctx, errw, r, blessed, o)
}

// stillOutside tells which checks the blessed run does not pass: limits are
// left as people set them.
func stillOutside(ctx context.Context, errw io.Writer, r reports.Report, blessed []byte, o gateOptions) (int, error) {
	expected, err := gate.Parse(blessed, o.Expected)
	if err != nil {
		return exitFailed, err
	}
	verdict, err := gate.Check(ctx, r, expected, gate.Options{})
	if err != nil {
		return exitFailed, err
	}
	for _, c := range verdict.Checks {
		if c.Outcome == reports.Regression || c.Outcome == reports.Inconclusive {
			fmt.Fprintf(errw, "still %s: %s\n", c.Outcome, inert(fmt.Sprintf("%s %s expects %s, the run has %s", c.Model, c.Measure, c.Expected, c.Got)))
		}
	}
	return exitDone, nil
}
