package ci_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disteval/disteval/reports/ci"
	"github.com/disteval/disteval/reports/ci/citest"
)

const (
	ours = `{"pull_request": {"number": 12, "head": {"repo": {"full_name": "owner/name"}}}}`
	fork = `{"pull_request": {"number": 12, "head": {"repo": {"full_name": "someone/name"}}}}`
)

func githubEnv(t *testing.T, s *citest.Server, event string) map[string]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(path, []byte(event), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_API_URL": s.URL, "GITHUB_REPOSITORY": "owner/name",
		"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": path, "GITHUB_TOKEN": s.Token}
}

func gitlabEnv(s *citest.Server) map[string]string {
	return map[string]string{"GITLAB_CI": "true", "CI_API_V4_URL": s.URL, "CI_PIPELINE_SOURCE": "merge_request_event",
		"CI_PROJECT_ID": "99", "CI_MERGE_REQUEST_PROJECT_ID": "34", "CI_MERGE_REQUEST_IID": "12",
		"CI_MERGE_REQUEST_PROJECT_URL": "https://example.invalid/group/name", "GITLAB_TOKEN": s.Token}
}

func find(t *testing.T, env map[string]string) *ci.PullRequest {
	t.Helper()
	p, err := ci.Find(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestOneComment writes, and writes again, among so many comments of others
// that there are three pages, some of which copy the mark.
func TestOneComment(t *testing.T) {
	for name, service := range map[string]func(t *testing.T) (*citest.Server, map[string]string){
		"github, the workflow's token": func(t *testing.T) (*citest.Server, map[string]string) {
			s := citest.NewGitHub(t)
			return s, githubEnv(t, s, ours)
		},
		"github, a person's token": func(t *testing.T) (*citest.Server, map[string]string) {
			s := citest.NewGitHub(t)
			s.User = "somebody"
			return s, githubEnv(t, s, ours)
		},
		"gitlab": func(t *testing.T) (*citest.Server, map[string]string) {
			s := citest.NewGitLab(t)
			return s, gitlabEnv(s)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, env := service(t)
			mark, err := ci.Mark("gate")
			if err != nil {
				t.Fatal(err)
			}
			for range 120 {
				s.Add(citest.Comment{Author: "reader", Person: true, Body: "> " + mark + "what is this?"})
			}
			s.Add(citest.Comment{Author: "reader", Person: true, Body: mark + "copied"})
			p := find(t, env)
			for _, text := range []string{"first", "second"} {
				url, err := p.Comment(t.Context(), "gate", text)
				if err != nil || !strings.Contains(url, "122") {
					t.Fatalf("%q, %v", url, err)
				}
				for range 90 {
					s.Add(citest.Comment{Author: "reader", Person: true, Body: "later"})
				}
			}
			if _, err := p.Comment(t.Context(), "other", "of another name"); err != nil {
				t.Fatal(err)
			}
			if got := s.With(mark + "second"); len(got) != 1 || got[0].ID != 122 || len(s.With(mark+"first")) != 0 {
				t.Errorf("comments with the second text: %v", got)
			}
			if len(s.With(mark+"copied")) != 1 || len(s.With("of another name")) != 1 {
				t.Error("another's comment was changed, or none of another name was written")
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		name, method, event string
		status              int
		forbidden, fork     bool
	}{
		{"a token that may only read", http.MethodPost, ours, 403, true, false},
		{"that of a fork", http.MethodPost, fork, 403, true, true},
		{"a repository that was deleted", http.MethodPost, `{"pull_request": {"number": 12, "head": {"repo": null}}}`, 403, true, true},
		{"a service that is down", http.MethodGet, ours, 502, false, false},
		{"a redirect, with the token", http.MethodGet, ours, 302, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := citest.NewGitHub(t)
			s.Refuse(tt.method, tt.status)
			p := find(t, githubEnv(t, s, tt.event))
			_, err := p.Comment(t.Context(), "gate", "text")
			var refused *ci.Refused
			if !errors.As(err, &refused) || refused.Status != tt.status || refused.Forbidden() != tt.forbidden || p.Fork() != tt.fork {
				t.Fatalf("%v, fork %t", err, p.Fork())
			}
			if refused.Forbidden() != (refused.Hint() != "") || strings.Contains(err.Error(), s.Token) {
				t.Errorf("%v; next: %q", err, refused.Hint())
			}
		})
	}
	s := citest.NewGitHub(t)
	env := githubEnv(t, s, ours)
	env["GITHUB_API_URL"] = "http://127.0.0.1:1"
	if _, err := find(t, env).Comment(t.Context(), "gate", "text"); err == nil {
		t.Error("a service that is not there has taken a comment")
	}
	if _, err := find(t, githubEnv(t, s, ours)).Comment(t.Context(), "gate", strings.Repeat("x", ci.MostBytes)); err == nil || len(s.Requests()) > 0 {
		t.Errorf("a comment that is too long: %v, %v", err, s.Requests())
	}
}

func TestWhereThereIsNoPullRequest(t *testing.T) {
	s := citest.NewGitHub(t)
	push := githubEnv(t, s, `{"ref": "refs/heads/main"}`)
	branch := gitlabEnv(s)
	delete(branch, "CI_MERGE_REQUEST_IID")
	for _, env := range []map[string]string{push, branch} {
		if _, err := ci.Find(func(name string) string { return env[name] }); !errors.Is(err, ci.ErrNone) {
			t.Errorf("%v: %v", env, err)
		}
	}
	talk := githubEnv(t, s, `{"issue": {"number": 12, "pull_request": {}}}`)
	if p := find(t, talk); !strings.Contains(p.String(), "12") || p.Fork() {
		t.Errorf("an issue's event: %v", p)
	}
}

func TestWrongEnvironment(t *testing.T) {
	s := citest.NewGitHub(t)
	for name, change := range map[string]func(map[string]string){
		"no token":         func(e map[string]string) { delete(e, "GITHUB_TOKEN") },
		"no event":         func(e map[string]string) { e["GITHUB_EVENT_PATH"] = "nowhere" },
		"a repository":     func(e map[string]string) { e["GITHUB_REPOSITORY"] = "owner/name/../../other" },
		"no service":       func(e map[string]string) { clear(e) },
		"an event of text": func(e map[string]string) { os.WriteFile(e["GITHUB_EVENT_PATH"], []byte("text"), 0o600) },
	} {
		env := githubEnv(t, s, ours)
		change(env)
		_, err := ci.Find(func(name string) string { return env[name] })
		var input interface{ BadInput() }
		if !errors.As(err, &input) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", "a b", "a-->", "a--b", "-a", strings.Repeat("a", 65), "a\nb"} {
		if mark, err := ci.Mark(name); err == nil {
			t.Errorf("%q gives the mark %q", name, mark)
		}
	}
}
