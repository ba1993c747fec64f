package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

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
		Example: `  disteval comment runs/20260102-150405-1a2b3c --exit-code $code`,
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
	body, err := a.commentText(ctx, run, o.ExitCode, ci.MostBytes-len(mark))
	if err != nil {
		return err
	}
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
	return errors.Join(warned, appendSummary(os.Getenv("GITHUB_STEP_SUMMARY"), func(int) string { return "\n" + text.Prose(why) + "\n" }))
}

// commentText is the comment's text: the run's summary, as far as its kept
// judgement is the one that code tells, and where the job is.
func (a *app) commentText(ctx context.Context, run string, code, most int) (string, error) {
	foot := jobLink(os.Getenv)
	if run == "" {
		return "## disteval: no verdict\n\n" + noVerdict(code) + foot, nil
	}
	store, err := runstore.Read(ctx, run)
	if err != nil {
		return "", err
	}
	defer store.Close()
	r, err := files.Build(ctx, store, nil)
	if err != nil {
		return "", err
	}
	head := ""
	if r.Judgement != nil && code >= 0 && code != codeOfJudgement(*r.Judgement) {
		r.Judgement = nil
	}
	if r.Judgement == nil && code > 0 {
		head = noVerdict(code) + "\n"
	}
	var b strings.Builder
	b.WriteString(head)
	err = text.WriteMarkdownWithin(&b, r, most-len(head)-len(foot))
	return b.String() + foot, err
}

func noVerdict(code int) string {
	return fmt.Sprintf("**There is no verdict: disteval ended with exit code %d, and the job's log says why.**\n", code)
}

// jobLink leads to the job that runs; empty where its address is not known.
func jobLink(getenv func(string) string) string {
	url := getenv("CI_JOB_URL")
	if id := getenv("GITHUB_RUN_ID"); id != "" {
		url = getenv("GITHUB_SERVER_URL") + "/" + getenv("GITHUB_REPOSITORY") + "/actions/runs/" + id
	}
	if url == "" || strings.ContainsAny(url, " <>()\n") {
		return ""
	}
	return "\n[The job](" + url + ") has the whole report.\n"
}
