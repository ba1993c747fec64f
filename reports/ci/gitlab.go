package ci

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/disteval/disteval/eval"
)

// gitlabAPI is GitLab's REST interface to the notes of one merge request.
type gitlabAPI struct {
	api
	path string // of the merge request
	web  string // address of the merge request for people
}

func gitlab(getenv func(string) string) (*PullRequest, error) {
	number := getenv("CI_MERGE_REQUEST_IID")
	if number == "" {
		return nil, fmt.Errorf("%w, but in a pipeline of the kind %s", ErrNone, getenv("CI_PIPELINE_SOURCE"))
	}
	// Of a fork's merge request the job may run in the fork.
	project := getenv("CI_MERGE_REQUEST_PROJECT_ID")
	if project == "" {
		project = getenv("CI_PROJECT_ID")
	}
	token, base := getenv("GITLAB_TOKEN"), getenv("CI_API_V4_URL")
	if _, err := strconv.ParseUint(number, 10, 63); err != nil || project == "" || base == "" {
		return nil, eval.BadInput(errors.New("CI_MERGE_REQUEST_IID, CI_MERGE_REQUEST_PROJECT_ID and CI_API_V4_URL do not name a merge request"), "")
	}
	if token == "" {
		return nil, eval.BadInput(errors.New("GITLAB_TOKEN is not set"), "make a project access token with the scope api and store it as a masked CI/CD variable: a job's own token may not write notes")
	}
	source := getenv("CI_MERGE_REQUEST_SOURCE_PROJECT_ID")
	fork := source != "" && source != project
	g := gitlabAPI{
		path: "/projects/" + url.PathEscape(project) + "/merge_requests/" + number,
		web:  getenv("CI_MERGE_REQUEST_PROJECT_URL") + "/-/merge_requests/" + number,
		api: api{
			base:   strings.TrimRight(base, "/"),
			header: http.Header{"Private-Token": {token}, "User-Agent": {"disteval"}},
			advice: func(status int) string {
				if status != http.StatusForbidden && status != http.StatusNotFound && status != http.StatusUnauthorized {
					return ""
				}
				return "GITLAB_TOKEN needs the scope api and the role Reporter in the project of the merge request"
			},
		},
	}
	return &PullRequest{service: g, name: fmt.Sprintf("merge request %s of project %s", number, project), fork: fork}, nil
}

func (g gitlabAPI) self(ctx context.Context) (string, error) {
	var user struct {
		Username string `json:"username"`
	}
	_, err := g.do(ctx, http.MethodGet, "/user", nil, &user)
	return user.Username, err
}

func (g gitlabAPI) list(ctx context.Context, page int) ([]comment, bool, error) {
	var found []struct {
		ID     int64  `json:"id"`
		Body   string `json:"body"`
		System bool   `json:"system"` // written by GitLab itself
		Author struct {
			Username string `json:"username"`
		} `json:"author"`
	}
	more, err := g.do(ctx, http.MethodGet, fmt.Sprintf("%s/notes?sort=asc&order_by=created_at&per_page=%d&page=%d", g.path, perPage, page), nil, &found)
	comments := make([]comment, 0, len(found))
	for _, c := range found {
		if !c.System {
			comments = append(comments, comment{id: c.ID, author: c.Author.Username, person: true, body: c.Body})
		}
	}
	return comments, more, err
}

func (g gitlabAPI) create(ctx context.Context, body string) (string, error) {
	return g.write(ctx, http.MethodPost, g.path+"/notes", body)
}

func (g gitlabAPI) update(ctx context.Context, id int64, body string) (string, error) {
	return g.write(ctx, http.MethodPut, g.path+"/notes/"+strconv.FormatInt(id, 10), body)
}

func (g gitlabAPI) write(ctx context.Context, method, path, body string) (string, error) {
	var written struct {
		ID int64 `json:"id"`
	}
	_, err := g.do(ctx, method, path, map[string]string{"body": body}, &written)
	return fmt.Sprintf("%s#note_%d", g.web, written.ID), err
}
