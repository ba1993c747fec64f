package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/ci"
	"github.com/disteval/disteval/reports/files"
	"github.com/disteval/disteval/reports/text"
)

// commentOptions say what the comment is called and what it follows.
type commentOptions struct {
	Name     string
	ExitCode int // of run or gate; -1: not stated
}

func newCommentCmd(a *app) *cobra.Command {
	o := commentOptions{ExitCode: -1}
	cmd := &cobra.Command{
		Use:   "comment [RUN]",
		Short: "Show a run on the pull request that a CI job runs for",
		Long: `In a job of GitHub Actions or GitLab CI, writes a run's summary with its judgement
as a comment on the pull request; the comment of the same name is changed, so that
there is one. The token is GITHUB_TOKEN's or GITLAB_TOKEN's. A job that runs for no
pull request, and one of a fork whose token may only read, writes none and succeeds.

Without RUN the comment says that there is no verdict.`,
		Example: `  disteval comment runs/20260102-150405-1a2b3c --exit-code 3`,
		Args:    atMostOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			run := ""
			if len(args) > 0 {
				run = args[0]
			}
			return a.comment(cmd.Context(), run, o)
		},
	}
	cmd.Flags().StringVar(&o.Name, "name", "gate", "name of the comment, where a pull request has several")
	cmd.Flags().IntVar(&o.ExitCode, "exit-code", -1, "the exit code of run or gate; a kept judgement that came to another is not shown")
	return cmd
}

func (a *app) comment(ctx context.Context, run string, o commentOptions) error {
	pull, err := ci.Find(os.Getenv)
	if errors.Is(err, ci.ErrNone) {
		fmt.Fprintf(a.err, "no comment: %s\n", inert(err.Error()))
		return nil
	}
	if err == nil {
		err = a.commentOn(ctx, pull, run, o)
	}
	if err == nil {
		return nil
	}
	var refused *ci.Refused
	readOnly := pull != nil && pull.Fork() && errors.As(err, &refused) && refused.Forbidden()
	if told := a.tellNoComment(err, readOnly); told != nil {
		fmt.Fprintf(a.err, "disteval: %s\n", reports.Lines(told.Error()))
	}
	if readOnly {
		return nil
	}
	return err
}

func (a *app) commentOn(ctx context.Context, pull *ci.PullRequest, run string, o commentOptions) error {
	mark, err := ci.Mark(o.Name)
	if err != nil {
		return err
	}
	r, err := a.judged(ctx, run, o.ExitCode)
	if err != nil {
		return err
	}
	body := text.Comment(r, o.ExitCode, ci.JobURL(os.Getenv), ci.MostBytes-len(mark))
	url, err := pull.Comment(ctx, o.Name, body)
	if err == nil {
		_, err = fmt.Fprintln(a.out, inert(url))
	}
	return err
}

// tellNoComment says why there is no comment, on GitHub also where people look.
func (a *app) tellNoComment(err error, readOnly bool) error {
	why := "no comment: " + err.Error()
	if readOnly {
		why = "no comment, since the token of a pull request from a fork may only read: " + err.Error()
		fmt.Fprintln(a.err, inert(why))
	}
	if os.Getenv("GITHUB_ACTIONS") == "" {
		return nil
	}
	var warned error
	if !readOnly {
		warned = text.WriteWarning(a.out, "disteval comment", why)
	}
	return errors.Join(warned, ci.AppendSummary(os.Getenv("GITHUB_STEP_SUMMARY"), func(int) string { return "\n" + text.Prose(why) + "\n" }))
}

// judged is a stored run with its kept judgement, unless that came to another
// exit code; nil where there is no run.
func (a *app) judged(ctx context.Context, run string, code int) (*reports.Report, error) {
	if run == "" {
		return nil, nil
	}
	store, err := runstore.Read(ctx, run)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	r, err := files.Build(ctx, store, nil)
	if r.Judgement != nil && code >= 0 && code != codeOfJudgement(*r.Judgement) {
		r.Judgement = nil
	}
	return &r, err
}
