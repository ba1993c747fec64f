package main_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/disteval/disteval/queries"
	"github.com/disteval/disteval/reports/ci/citest"
)

// action is action.yml, as far as the tests run it.
type action struct {
	Inputs  map[string]struct{ Default string }
	Outputs map[string]struct{ Value string }
	Runs    struct {
		Steps []struct {
			ID, Uses, Run    string
			Env              map[string]string
			WorkingDirectory string `yaml:"working-directory"`
		}
	}
}

// job is a job of GitHub Actions that uses the action: its folder, and the
// environment that the service sets.
type job struct {
	t      *testing.T
	dir    string
	env    map[string]string
	token  string
	action action
}

// outcome is what came of one use of the action.
type outcome struct {
	code    int
	outputs map[string]string
	log     string
	summary string
}

const pullRequestEvent = `{"pull_request": {"number": 12, "head": {"repo": {"full_name": "owner/name"}}}}`

func newJob(t *testing.T, api *citest.Server, event string) *job {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the scripts are run on a POSIX system")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	j := &job{t: t, dir: t.TempDir(), token: api.Token}
	if err := yaml.Unmarshal([]byte(readFile(t, filepath.Join(root, "action.yml"))), &j.action); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(j.dir, "event.json"), event)
	j.env = map[string]string{"PATH": os.Getenv("PATH"), "HOME": j.dir, "GITHUB_ACTIONS": "true", "GITHUB_ACTION_PATH": root,
		"GITHUB_API_URL": api.URL, "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "owner/name", "GITHUB_RUN_ID": "77",
		"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": filepath.Join(j.dir, "event.json"), "GITHUB_PATH": filepath.Join(j.dir, "path"),
		"RUNNER_TEMP": t.TempDir(), "RUNNER_OS": "Linux", "RUNNER_ARCH": "X64"}
	return j
}

var expression = regexp.MustCompile(`\$\{\{ *([a-z_.-]+) *\}\}`)

// use runs the steps of the action that are scripts, as the service does: each
// with an output file of its own, until one fails.
func (j *job) use(inputs map[string]string) outcome {
	j.t.Helper()
	o := outcome{outputs: map[string]string{}}
	values := map[string]string{"github.token": j.token, "github.action_ref": ""}
	expand := func(s string) string {
		return expression.ReplaceAllStringFunc(s, func(e string) string {
			name := expression.FindStringSubmatch(e)[1]
			value, ok := values[name]
			if !ok && !strings.HasPrefix(name, "steps.") {
				j.t.Fatalf("nothing is known of %s", e)
			}
			return value
		})
	}
	for name, input := range j.action.Inputs {
		values["inputs."+name] = expand(input.Default)
	}
	for name, value := range inputs {
		if _, ok := j.action.Inputs[name]; !ok {
			j.t.Fatalf("the action has no input %s", name)
		}
		values["inputs."+name] = value
	}
	for _, step := range j.action.Runs.Steps {
		if step.Uses != "" || o.code != 0 {
			continue
		}
		if strings.Contains(step.Run, "${{") {
			j.t.Errorf("an expression is part of the script %s", step.Run)
		}
		output, summary := filepath.Join(j.t.TempDir(), "output"), filepath.Join(j.t.TempDir(), "summary")
		env := maps.Clone(j.env)
		env["GITHUB_OUTPUT"], env["GITHUB_STEP_SUMMARY"] = output, summary
		for name, value := range step.Env {
			env[name] = expand(value)
		}
		log, code := shell(j.t, "bash", filepath.Join(j.dir, expand(step.WorkingDirectory)), env, step.Run)
		o.log, o.code = o.log+log, code
		for name, value := range readOutputs(j.t, output) {
			values["steps."+step.ID+".outputs."+name] = value
		}
		text, err := os.ReadFile(summary)
		if err != nil && !errors.Is(err, os.ErrNotExist) || len(text) > 1<<20 {
			j.t.Errorf("a summary of %d bytes, %v", len(text), err)
		}
		o.summary += string(text)
	}
	for name, output := range j.action.Outputs {
		o.outputs[name] = expand(output.Value)
	}
	return o
}

// shell runs a script as a CI service does.
func shell(t *testing.T, name, dir string, env map[string]string, script string) (string, int) {
	t.Helper()
	cmd := exec.Command(name, "-e", "-c", script)
	cmd.Dir, cmd.Env = dir, nil
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// readOutputs reads a step's outputs in the form for values of several lines.
func readOutputs(t *testing.T, path string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	out := map[string]string{}
	for rest := string(text); rest != ""; {
		head, more, _ := strings.Cut(rest, "\n")
		name, end, ok := strings.Cut(head, "<<")
		value, after, found := strings.Cut(more, "\n"+end+"\n")
		if !ok || !found {
			t.Fatalf("outputs that GitHub does not read: %v\n%s", err, text)
		}
		out[name], rest = value, after
	}
	return out
}

// smallRun makes a run of a few queries in the job's folder, and expected files
// that it passes, that it does not, and that cannot judge it.
func smallRun(t *testing.T, dir string) {
	t.Helper()
	if out, err := program(t, dir, []string{"GITHUB_ACTIONS="}, "run", "--models", "builtin", "--limit", "4").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := filepath.Join(dir, "the run")
	if err := os.Rename(onlyRun(t, dir), run); err != nil {
		t.Fatal(err)
	}
	var s struct {
		Queries struct {
			N      int
			SHA256 string
		}
	}
	if err := json.Unmarshal([]byte(readFile(t, filepath.Join(run, "summary.json"))), &s); err != nil {
		t.Fatal(err)
	}
	for name, check := range map[string]string{
		"pass":       "mini-teacher: {metrics: {em: {min: 0.5}}}",
		"regression": "mini-baby: {metrics: {em_strict: {min: 1}, answer_bits: {max: 0.01}}}",
		"absent":     "nobody: {metrics: {em: {min: 0.5}}}",
	} {
		writeFile(t, filepath.Join(dir, name+".yaml"), fmt.Sprintf("version: 1\nqueries: {n: %d, sha256: %s}\nmodels:\n  %s\n", s.Queries.N, s.Queries.SHA256, check))
	}
}

func TestActionOnAPullRequest(t *testing.T) {
	api := citest.NewGitHub(t)
	j := newJob(t, api, pullRequestEvent)
	smallRun(t, j.dir)
	for range 150 { // the comment is on the second page
		api.Add(citest.Comment{Author: "reader", Person: true, Body: "<!-- disteval: gate -->\ncopied"})
	}
	for _, step := range []struct {
		expected, verdict, shown string
		code                     int
	}{
		{"regression.yaml", "regression", "### Gate: regression", 3},
		{"regression.yaml", "regression", "### Gate: regression", 3},
		{"absent.yaml", "inconclusive", "### Gate: inconclusive", 4},
		{"nowhere.yaml", "none", "There is no verdict: disteval ended with exit code 2", 2},
		{"pass.yaml", "pass", "### Gate: pass", 0},
	} {
		o := j.use(map[string]string{"version": "installed", "run": "the run", "expected": step.expected, "comment": "true"})
		if o.code != step.code || o.outputs["verdict"] != step.verdict || o.outputs["exit-code"] != fmt.Sprint(step.code) ||
			o.outputs["report"] != "the run/report.html" {
			t.Errorf("%s: ended with %d and %v\n%s", step.expected, o.code, o.outputs, o.log)
		}
		comments := slices.DeleteFunc(api.With("<!-- disteval: gate -->"), func(c citest.Comment) bool { return c.Person })
		if len(comments) != 1 || comments[0].ID != 151 || !strings.Contains(comments[0].Body, step.shown) ||
			!strings.Contains(comments[0].Body, "https://github.com/owner/name/actions/runs/77") {
			t.Errorf("%s: comments %v", step.expected, comments)
		}
		if step.code != 2 && strings.Count(o.summary, step.shown) != 1 || step.code == 2 && !strings.Contains(o.summary, "no verdict") {
			t.Errorf("%s: the summary is\n%s", step.expected, o.summary)
		}
		if wrong := step.code == 3 || step.code == 4; wrong != strings.Contains(o.log, "\n::error title=") {
			t.Errorf("%s: annotations\n%s", step.expected, o.log)
		}
	}
}

// TestActionWithoutAComment keeps the verdict's exit code whatever becomes of
// the comment.
func TestActionWithoutAComment(t *testing.T) {
	api := citest.NewGitHub(t)
	fork := strings.Replace(pullRequestEvent, "owner/name", "someone/name", 1)
	first := newJob(t, api, pullRequestEvent)
	smallRun(t, first.dir)
	for _, tt := range []struct {
		name, event, method string
		status              int
		warning, note       bool
	}{
		{"the service is down", pullRequestEvent, http.MethodGet, 502, true, true},
		{"the token may only read", pullRequestEvent, http.MethodPost, 403, true, true},
		{"a fork's token may only read", fork, http.MethodPost, 403, false, true},
		{"a push", `{"ref": "refs/heads/main"}`, "", 0, false, false},
	} {
		api.Refuse(tt.method, tt.status)
		writeFile(t, filepath.Join(first.dir, "event.json"), tt.event)
		o := first.use(map[string]string{"version": "installed", "run": "the run", "expected": "regression.yaml", "comment": "true"})
		if o.code != 3 || o.outputs["verdict"] != "regression" || len(api.With("Gate:")) != 0 {
			t.Errorf("%s: %d, %v, %v", tt.name, o.code, o.outputs, api.With("Gate:"))
		}
		if strings.Contains(o.log, "\n::warning title=disteval comment::no comment") != tt.warning || !strings.Contains(o.log, "no comment") {
			t.Errorf("%s: the log is\n%s", tt.name, o.log)
		}
		if strings.Contains(o.summary, "\nno comment") != tt.note || strings.Contains(o.log, "\n::error::forged") {
			t.Errorf("%s: the summary ends in\n%s", tt.name, o.summary[max(0, len(o.summary)-800):])
		}
	}
}

// TestActionWithManyFindings has 6,000 of them: what is shown is cut and says so.
func TestActionWithManyFindings(t *testing.T) {
	const n = 6000
	api := citest.NewGitHub(t)
	j := newJob(t, api, pullRequestEvent)
	var asked, right strings.Builder
	for i := range n {
		fmt.Fprintf(&asked, `{"id": "q%04d", "prompt": "Number %d is", "keyword": "xyzzy"}`+"\n", i, i)
		fmt.Fprintf(&right, ", q%04d", i)
	}
	writeFile(t, filepath.Join(j.dir, "queries.jsonl"), asked.String())
	set, err := queries.Load(filepath.Join(j.dir, "queries.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(j.dir, "models.yaml"), "version: 1\nqueries: queries.jsonl\ngeneration: {num_predict: 1}\nlikelihood: off\nmodels:\n  - {name: student, provider: builtin, model: mini-baby}\n")
	writeFile(t, filepath.Join(j.dir, "expected.yaml"), fmt.Sprintf("version: 1\nqueries: {n: %d, sha256: %s}\nmodels:\n  student: {queries_right: [%s]}\n", n, set.SHA256(), right.String()[2:]))
	o := j.use(map[string]string{"version": "installed", "models": "models.yaml", "expected": "expected.yaml", "comment": "true"})
	comments := api.With("### Gate: regression")
	if o.code != 3 || len(comments) != 1 || len(comments[0].Body) > 65_536 {
		t.Fatalf("ended with %d and %d comments\n%.2000s", o.code, len(comments), o.log)
	}
	for where, text := range map[string]string{"the comment": comments[0].Body, "the summary": o.summary} {
		if !strings.Contains(text, "\nand 5900 more\n") {
			t.Errorf("%s does not say how many more:\n%.2000s", where, text)
		}
	}
	if shown := strings.Count(o.log, "\n::error title="); shown != 10 || !strings.Contains(o.log, "::and 5991 more") {
		t.Errorf("%d annotations", shown)
	}
}

func TestActionRunsModels(t *testing.T) {
	j := newJob(t, citest.NewGitHub(t), pullRequestEvent)
	o := j.use(map[string]string{"version": "installed", "models": "builtin", "args": "--limit 2\n--concurrency 1"})
	if o.code != 0 || o.outputs["verdict"] != "none" || !strings.Contains(o.summary, "on 2 queries") {
		t.Errorf("%d, %v, summary\n%s\n%s", o.code, o.outputs, o.summary, o.log)
	}
	if _, err := os.Stat(o.outputs["report"]); err != nil {
		t.Error(err)
	}
	if err := os.Mkdir(filepath.Join(j.dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	smallRun(t, filepath.Join(j.dir, "sub"))
	if o := j.use(map[string]string{"version": "installed", "run": "the run", "expected": "pass.yaml", "working-directory": "sub"}); o.code != 0 || o.outputs["report"] != "sub/the run/report.html" {
		t.Errorf("in a folder of its own: %d, %v\n%s", o.code, o.outputs, o.log)
	}
	if o := j.use(map[string]string{"version": "installed", "models": "builtin", "run": "runs/1", "expected": "e.yaml"}); o.code != 2 || o.outputs["run"] != "" {
		t.Errorf("models and a run: %d, %v", o.code, o.outputs)
	}
}

// TestActionInputsAreInert gives every input text that a shell would act on.
func TestActionInputsAreInert(t *testing.T) {
	j := newJob(t, citest.NewGitHub(t), pullRequestEvent)
	for name := range j.action.Inputs {
		if name == "working-directory" {
			continue
		}
		inputs := map[string]string{"version": "installed", "run": "nowhere", "expected": "e.yaml", "comment": "true"}
		inputs[name] = "$(touch pwned) `touch pwned`; touch pwned\" ; touch pwned\n::error::forged"
		o := j.use(inputs)
		if found, _ := filepath.Glob(filepath.Join(j.dir, "pwned")); o.code == 0 || len(found) > 0 {
			t.Errorf("%s: ended with %d, made %v\n%s", name, o.code, found, o.log)
		}
		if strings.Contains(o.log, "\n::error::forged") {
			t.Errorf("%s: the log holds a command\n%s", name, o.log)
		}
	}
}

// releases serves a release whose program is a script.
func releases(t *testing.T, version string, change func(files map[string]string)) string {
	t.Helper()
	const script = "#!/bin/sh\necho fake disteval $*\n"
	var archive bytes.Buffer
	z := gzip.NewWriter(&archive)
	w := tar.NewWriter(z)
	if err := errors.Join(w.WriteHeader(&tar.Header{Name: "disteval", Mode: 0o755, Size: int64(len(script))})); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(w, script)
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	name := "disteval_" + version + "_linux_amd64.tar.gz"
	files := map[string]string{name: archive.String(), "checksums.txt": fmt.Sprintf("%x  other.tar.gz\n%x  %s\n", sha256.Sum256(nil), sha256.Sum256(archive.Bytes()), name)}
	change(files)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch file, ok := files[filepath.Base(r.URL.Path)]; {
		case r.URL.Path == "/latest":
			http.Redirect(w, r, "/tag/v"+version, http.StatusFound)
		case r.URL.Path == "/tag/v"+version:
		case ok && strings.HasPrefix(r.URL.Path, "/download/v"+version+"/"):
			fmt.Fprint(w, file)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestActionInstallsAVerifiedRelease(t *testing.T) {
	nothing := func(map[string]string) {}
	for _, tt := range []struct {
		name, version, ref string
		change             func(map[string]string)
		env                map[string]string
		fails              string
	}{
		{name: "a version", version: "v1.2.3", change: nothing},
		{name: "without its v", version: "1.2.3", change: nothing},
		{name: "the latest", version: "latest", change: nothing},
		{name: "the action's own", ref: "v1.2.3", change: nothing},
		{name: "of an action at a branch", ref: "main", change: nothing},
		{name: "one that is not there", version: "v9.9.9", change: nothing, fails: "cannot be downloaded"},
		{name: "no version", version: "v1\n::error::forged", change: nothing, fails: "the version is not one"},
		{name: "another archive than was signed for", version: "v1.2.3", fails: "is not what checksums.txt",
			change: func(f map[string]string) { f["disteval_1.2.3_linux_amd64.tar.gz"] += "x" }},
		{name: "an archive without a checksum", version: "v1.2.3", fails: "does not name",
			change: func(f map[string]string) {
				f["checksums.txt"] = strings.ReplaceAll(f["checksums.txt"], "disteval_", "xdisteval_")
			}},
		{name: "another system", version: "v1.2.3", change: nothing, env: map[string]string{"RUNNER_OS": "Plan9"}, fails: "no release for this operating system"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j := newJob(t, citest.NewGitHub(t), pullRequestEvent)
			maps.Copy(j.env, tt.env)
			j.env["RELEASES_URL"], j.env["VERSION"], j.env["ACTION_REF"] = releases(t, "1.2.3", tt.change), tt.version, tt.ref
			log, code := shell(t, "bash", j.dir, j.env, j.action.Runs.Steps[0].Run)
			path, err := os.ReadFile(j.env["GITHUB_PATH"])
			if tt.fails != "" {
				if code == 0 || err == nil || !strings.Contains(log, "::error title=disteval::") || !strings.Contains(log, tt.fails) || strings.Contains(log, "\n::error::forged") {
					t.Errorf("ended with %d, path %q\n%s", code, path, log)
				}
				return
			}
			out, err := exec.Command(filepath.Join(strings.TrimSpace(string(path)), "disteval"), "version").CombinedOutput()
			if code != 0 || err != nil || string(out) != "fake disteval version\n" {
				t.Errorf("ended with %d, %v: %s\n%s", code, err, out, log)
			}
		})
	}
}
