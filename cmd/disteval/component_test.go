package main_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/disteval/disteval/reports/ci/citest"
)

// component is templates/gate.yml: what it takes, and its only job.
type component struct {
	inputs map[string]any // defaults
	job    struct {
		Variables map[string]yaml.Node
		Script    []string
		Artifacts struct {
			Paths   []string
			Reports struct{ JUnit string }
		}
	}
}

func readComponent(t *testing.T) component {
	t.Helper()
	f, err := os.Open("../../templates/gate.yml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var head struct {
		Spec struct {
			Inputs map[string]struct{ Default any }
		}
	}
	d := yaml.NewDecoder(f)
	c := component{inputs: map[string]any{}}
	jobs := map[string]yaml.Node{}
	if err := errors.Join(d.Decode(&head), d.Decode(&jobs)); err != nil || len(jobs) != 1 {
		t.Fatalf("%d jobs, %v", len(jobs), err)
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		t.Fatalf("a third document, %v", err)
	}
	for name, input := range head.Spec.Inputs {
		c.inputs[name] = input.Default
	}
	for _, node := range jobs {
		if err := node.Decode(&c.job); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

var interpolation = regexp.MustCompile(`\$\[\[ *inputs\.([a-z_]+) *\]\]`)

// use runs the job's script with the variables that its inputs give, in the
// shell of the image.
func (c component) use(t *testing.T, dir string, env map[string]string, inputs map[string]any) (string, int) {
	t.Helper()
	env = maps.Clone(env)
	for name, node := range c.job.Variables {
		var v struct {
			Value  string
			Expand *bool
		}
		if node.Kind == yaml.MappingNode {
			if err := node.Decode(&v); err != nil || v.Expand == nil || *v.Expand {
				t.Errorf("variable %s would be expanded, %v", name, err)
			}
		} else {
			v.Value = node.Value
		}
		env[name] = interpolation.ReplaceAllStringFunc(v.Value, func(s string) string {
			input := interpolation.FindStringSubmatch(s)[1]
			value, ok := inputs[input]
			if !ok {
				if value, ok = c.inputs[input]; !ok {
					t.Fatalf("there is no input %s", input)
				}
			}
			return fmt.Sprint(value)
		})
	}
	script := strings.Join(c.job.Script, "\n")
	if strings.Contains(script, "$[[") {
		t.Errorf("an input is part of the script:\n%s", script)
	}
	return shell(t, "sh", dir, env, script)
}

func TestGitLabComponent(t *testing.T) {
	c := readComponent(t)
	api := citest.NewGitLab(t)
	dir := t.TempDir()
	smallRun(t, dir)
	env := map[string]string{"PATH": os.Getenv("PATH"), "HOME": dir, "GITLAB_CI": "true", "CI_API_V4_URL": api.URL, "CI_PIPELINE_SOURCE": "merge_request_event",
		"CI_PROJECT_ID": "34", "CI_MERGE_REQUEST_PROJECT_ID": "34", "CI_MERGE_REQUEST_IID": "12", "GITLAB_TOKEN": api.Token,
		"CI_MERGE_REQUEST_PROJECT_URL": "https://gitlab.example/group/name", "CI_JOB_URL": "https://gitlab.example/group/name/-/jobs/5"}
	for range 150 {
		api.Add(citest.Comment{Author: "reader", Person: true, Body: "<!-- disteval: gate -->\ncopied"})
	}
	for _, step := range []struct {
		inputs map[string]any
		code   int
		shown  string
	}{
		{map[string]any{"run": "the run", "expected": "regression.yaml"}, 3, "### Gate: regression"},
		{map[string]any{"models": "builtin", "args": "--limit 4", "expected": "regression.yaml"}, 3, "### Gate: regression"},
		{map[string]any{"models": "builtin", "expected": "nowhere.yaml", "fail_fast": true}, 2, "There is no verdict: disteval ended with exit code 2"},
		{map[string]any{"run": "the run", "expected": "pass.yaml"}, 0, "### Gate: pass"},
	} {
		log, code := c.use(t, dir, env, step.inputs)
		notes := api.With("disteval: gate -->\n#")
		notes = append(notes, api.With("disteval: gate -->\n**")...)
		if code != step.code || len(notes) != 1 || notes[0].ID != 151 || !strings.Contains(notes[0].Body, step.shown) || !strings.Contains(notes[0].Body, "/-/jobs/5") {
			t.Errorf("%v: ended with %d, notes %v\n%s", step.inputs, code, notes, log)
		}
		for _, kept := range append(c.job.Artifacts.Paths, c.job.Artifacts.Reports.JUnit) {
			if found, _ := filepath.Glob(filepath.Join(dir, kept)); len(found) != 1 && !(step.code == 2 && strings.HasSuffix(kept, "xml")) {
				t.Errorf("%v: %s is %v", step.inputs, kept, found)
			}
		}
	}
	for method, status := range map[string]int{http.MethodGet: 500, http.MethodPut: 403} {
		api.Refuse(method, status)
		if log, code := c.use(t, dir, env, map[string]any{"run": "the run", "expected": "regression.yaml"}); code != 3 || !strings.Contains(log, fmt.Sprint(status)) {
			t.Errorf("%s refused: ended with %d\n%s", method, code, log)
		}
	}
	if log, code := c.use(t, dir, env, map[string]any{"models": "$(touch pwned)", "expected": "`touch pwned`", "args": "; touch pwned"}); code != 2 || fileExists(filepath.Join(dir, "pwned")) {
		t.Errorf("hostile inputs: ended with %d\n%s", code, log)
	}
	if log, code := c.use(t, dir, env, nil); code != 2 || !strings.Contains(log, "give either") {
		t.Errorf("no inputs: ended with %d\n%s", code, log)
	}
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
