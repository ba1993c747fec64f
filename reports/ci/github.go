package ci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/disteval/disteval/eval"
)

// githubAPI is GitHub's REST interface to the comments of one pull request,
// which it has as those of the issue of the same number.
type githubAPI struct {
	api
	repo   string // owner/name
	number int
}

// event is what a workflow run was started by.
type event struct {
	PullRequest *struct {
		Number int `json:"number"`
		Head   struct {
			Repo *struct { // null: it was deleted
				FullName string `json:"full_name"`
			} `json:"repo"`
		} `json:"head"`
	} `json:"pull_request"`
	Issue *struct {
		Number      int             `json:"number"`
		PullRequest json.RawMessage `json:"pull_request"`
	} `json:"issue"`
}

var repository = regexp.MustCompile(`^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$`)

func github(getenv func(string) string) (*PullRequest, error) {
	repo := getenv("GITHUB_REPOSITORY")
	number, fork, err := pullRequest(getenv("GITHUB_EVENT_PATH"), repo)
	if err != nil {
		return nil, err
	}
	if number == 0 {
		return nil, fmt.Errorf("%w, but for the event %s", ErrNone, getenv("GITHUB_EVENT_NAME"))
	}
	token := getenv("GITHUB_TOKEN")
	switch {
	case !repository.MatchString(repo):
		return nil, eval.BadInput(fmt.Errorf("GITHUB_REPOSITORY %q is not owner/name", repo), "")
	case token == "":
		return nil, eval.BadInput(errors.New("GITHUB_TOKEN is not set"), "give the step env: {GITHUB_TOKEN: ${{ github.token }}} and the job permissions: {pull-requests: write}")
	}
	base := getenv("GITHUB_API_URL")
	if base == "" {
		base = "https://api.github.com"
	}
	g := githubAPI{repo: repo, number: number, api: api{
		base: strings.TrimRight(base, "/"),
		header: http.Header{
			"Accept":               {"application/vnd.github+json"},
			"Authorization":        {"Bearer " + token},
			"X-Github-Api-Version": {"2022-11-28"},
			"User-Agent":           {"disteval"},
		},
		advice: func(status int) string {
			switch {
			case status != http.StatusForbidden && status != http.StatusNotFound && status != http.StatusUnauthorized:
				return ""
			case fork:
				return "the token of a pull request from a fork may only read"
			}
			return "give the job permissions: {pull-requests: write}"
		},
	}}
	return &PullRequest{service: g, name: fmt.Sprintf("pull request %d of %s", number, repo), fork: fork}, nil
}

// pullRequest reads the number of the pull request from the event's file; 0:
// it has none.
func pullRequest(path, repo string) (number int, fork bool, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, false, eval.BadInput(fmt.Errorf("read the event: %w", err), "GITHUB_EVENT_PATH names its file")
	}
	var e event
	if err := json.Unmarshal(data, &e); err != nil {
		return 0, false, eval.BadInput(fmt.Errorf("read the event %s: %w", path, err), "")
	}
	switch {
	case e.PullRequest != nil:
		head := e.PullRequest.Head.Repo
		return e.PullRequest.Number, head == nil || head.FullName != repo, nil
	case e.Issue != nil && e.Issue.PullRequest != nil:
		return e.Issue.Number, false, nil
	}
	return 0, false, nil
}

// self asks whose the token is. That of a workflow is nobody's, and GitHub
// refuses to say.
func (g githubAPI) self(ctx context.Context) (string, error) {
	var user struct {
		Login string `json:"login"`
	}
	_, err := g.do(ctx, http.MethodGet, "/user", nil, &user)
	var refused *Refused
	if errors.As(err, &refused) && refused.Forbidden() {
		return "", nil
	}
	return user.Login, err
}

func (g githubAPI) list(ctx context.Context, page int) ([]comment, bool, error) {
	var found []struct {
		ID   int64  `json:"id"`
		Body string `json:"body"`
		User *struct {
			Login string `json:"login"`
			Type  string `json:"type"`
		} `json:"user"`
	}
	more, err := g.do(ctx, http.MethodGet, fmt.Sprintf("/repos/%s/issues/%d/comments?per_page=%d&page=%d", g.repo, g.number, perPage, page), nil, &found)
	comments := make([]comment, len(found))
	for i, c := range found {
		comments[i] = comment{id: c.ID, body: c.Body}
		if c.User != nil {
			comments[i].author, comments[i].person = c.User.Login, c.User.Type == "User"
		}
	}
	return comments, more, err
}

func (g githubAPI) create(ctx context.Context, body string) (string, error) {
	return g.write(ctx, http.MethodPost, fmt.Sprintf("/repos/%s/issues/%d/comments", g.repo, g.number), body)
}

func (g githubAPI) update(ctx context.Context, id int64, body string) (string, error) {
	return g.write(ctx, http.MethodPatch, "/repos/"+g.repo+"/issues/comments/"+strconv.FormatInt(id, 10), body)
}

func (g githubAPI) write(ctx context.Context, method, path, body string) (string, error) {
	var written struct {
		URL string `json:"html_url"`
	}
	_, err := g.do(ctx, method, path, map[string]string{"body": body}, &written)
	return written.URL, err
}
