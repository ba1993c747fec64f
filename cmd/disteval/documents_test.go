package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/disteval/disteval/emissions/emissionstest"
	"github.com/disteval/disteval/eval/evaltest"
	"github.com/disteval/disteval/eval/ollama/ollamatest"
)

const miniatures = "../../eval/builtin/models"

// TestTutorial runs the tutorial from its first command to its last.
func TestTutorial(t *testing.T) {
	steps := parseDocument(t, "../../docs/tutorial.md")
	runDocument(t, steps, nil, func(env *testscript.Env) error {
		if err := os.Mkdir(filepath.Join(env.WorkDir, "try"), 0o755); err != nil {
			return err
		}
		return os.CopyFS(filepath.Join(env.WorkDir, "eval/builtin/models"), os.DirFS(miniatures))
	})
}

// TestCookbook runs each recipe by itself, beside the servers that it names.
func TestCookbook(t *testing.T) {
	recipes := map[string][]step{}
	for _, s := range parseDocument(t, "../../docs/cookbook.md") {
		recipes[s.section] = append(recipes[s.section], s)
	}
	if len(recipes) < 8 {
		t.Fatalf("%d recipes", len(recipes))
	}
	for name, steps := range recipes {
		t.Run(name, func(t *testing.T) {
			replace, vars := servers(t, steps)
			runDocument(t, steps, replace, func(env *testscript.Env) error {
				env.Vars = append(env.Vars, vars...)
				for _, size := range []string{"teacher", "student", "baby"} {
					gguf, err := os.ReadFile(filepath.Join(miniatures, "mini-"+size+".gguf"))
					if err == nil {
						err = os.WriteFile(filepath.Join(env.WorkDir, size+".gguf"), gguf, 0o600)
					}
					if err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
}

// servers starts what a recipe needs, and returns what stands for it in the
// recipe's text and its environment.
func servers(t *testing.T, steps []step) (replace *strings.Replacer, vars []string) {
	t.Helper()
	var pairs []string
	for _, s := range steps {
		switch s.needs {
		case "ollama":
			o := ollamatest.Start(t)
			o.Create(t, "llama3.2:1b", filepath.Join(miniatures, "mini-teacher.gguf"), map[string]any{"num_ctx": 128})
			vars = append(vars, "OLLAMA_HOST="+o.Host)
			pairs = append(pairs, "num_ctx: 512", "num_ctx: 128") // the miniature has no more positions
		case "vllm":
			o := evaltest.NewOpenAI(t, evaltest.VLLM, "my-student")
			o.Key = "secret"
			pairs = append(pairs, "http://127.0.0.1:8000", o.URL)
		case "exporter":
			pairs = append(pairs, "http://127.0.0.1:9100/metrics", nodeExporter(t, turning(t)))
			vars = append(vars, "DISTEVAL_SYSFS="+t.TempDir()) // the runner's own counters are not the remote server's
		}
	}
	return strings.NewReplacer(pairs...), vars
}

// turning is a sysfs whose counters turn until the test ends.
func turning(t *testing.T) string {
	t.Helper()
	sysfs := t.TempDir()
	err := emissionstest.WriteTree(sysfs, "two-sockets")
	if err == nil {
		err = emissionstest.Flatten(sysfs)
	}
	if err != nil {
		t.Fatal(err)
	}
	d, err := emissionstest.NewDriver(sysfs, map[string]float64{"intel-rapl:0": 120, "intel-rapl:0:0": 15, "intel-rapl:1": 90, "intel-rapl:1:0": 12})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return sysfs
}

// step is a block of a document: commands, the file to write before them, or
// what they show.
type step struct {
	section string // the heading above it
	kind    string // sh, text, or a file's kind
	file    string
	needs   string // of commands: a server
	lines   []string
}

var fence = regexp.MustCompile("^```(\\w*) ?(\\S*)")

func parseDocument(t *testing.T, file string) (steps []step) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	section, open := "", false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		switch m := fence.FindStringSubmatch(line); {
		case m != nil && open:
			open = false
		case m != nil:
			open = true
			s := step{section: section, kind: m[1]}
			if name, ok := strings.CutPrefix(m[2], "file="); ok {
				s.file = name
			} else {
				s.needs = m[2]
			}
			steps = append(steps, s)
		case open:
			last := &steps[len(steps)-1]
			last.lines = append(last.lines, line)
		case strings.HasPrefix(line, "## "):
			section = strings.TrimPrefix(line, "## ")
		}
	}
	return steps
}

// kept are lines of the shell that hold for the commands after them too.
var kept = regexp.MustCompile(`^(cd |export |[A-Z]+=)|^mkdir -p \w+ && cd `)

// runDocument runs a document's commands as a script, each block in a shell,
// and wants to see in their output what the document shows of it.
func runDocument(t *testing.T, steps []step, replace *strings.Replacer, setup func(*testscript.Env) error) {
	t.Helper()
	if replace == nil {
		replace = strings.NewReplacer()
	}
	var script, files strings.Builder
	var before []string
	for i, s := range steps {
		text := replace.Replace(strings.Join(s.lines, "\n"))
		switch {
		case s.file != "":
			fmt.Fprintf(&files, "-- file%d --\n%s\n", i, text)
			before = append(before, fmt.Sprintf("cp $WORK/file%d %s", i, s.file))
		case s.kind == "sh":
			fmt.Fprintf(&files, "-- block%d.sh --\nexec 2>&1\n%s\n%s\n", i, strings.Join(before, "\n"), text)
			fmt.Fprintf(&script, "exec bash -e -o pipefail block%d.sh\n", i)
			before = nil
			for _, done := range steps[:i+1] {
				for _, line := range done.lines {
					if done.kind == "sh" && kept.MatchString(line) {
						before = append(before, replace.Replace(line))
					}
				}
			}
		case s.kind == "text":
			for _, line := range s.lines {
				fmt.Fprintf(&script, "stdout '%s'\n", shown(replace.Replace(line)))
			}
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "document.txtar"), []byte(script.String()+files.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: dir,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(path)+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("NO_COLOR", "1")
			env.Setenv("DISTEVAL_LOCK_DIR", env.WorkDir)
			return setup(env)
		},
	})
}

// shown is the pattern of a line of output: … stands for anything.
func shown(line string) string {
	pattern := regexp.QuoteMeta(strings.TrimSpace(line))
	pattern = strings.ReplaceAll(pattern, "…", ".*")
	pattern = regexp.MustCompile(` +`).ReplaceAllString(pattern, " +")
	return strings.ReplaceAll(pattern, "'", "''")
}
