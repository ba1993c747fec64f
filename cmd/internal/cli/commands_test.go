package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestCommands drives every command from its flags to what they do, on one run
// of the models inside the program.
func TestCommands(t *testing.T) {
	emptyPlace(t)
	t.Setenv("OLLAMA_HOST", "127.0.0.1:1")
	for name, value := range map[string]string{"NO_COLOR": "1", "GITHUB_ACTIONS": "", "GITLAB_CI": ""} {
		t.Setenv(name, value)
	}
	do(t, exitDone, "run", "--models", "builtin", "--limit", "2", "--out", "made")
	runs, err := filepath.Glob("made/*")
	if err != nil || len(runs) != 1 {
		t.Fatalf("%v, %v", runs, err)
	}
	if err := os.Rename(runs[0], "made/one"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("set.csv", []byte("id,prompt,keyword\nx,The capital of Peru is,Lima\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tested := make(map[string]bool)
	for _, tt := range []struct {
		args string
		code int
		says string // out or messages
		file string // that is then there
	}{
		{"run --models builtin --limit 3 --concurrency 2 --dry-run --country FRA", exitDone, "3 models x 3 queries = 9, 2 in flight", ""},
		{"run --models builtin --limit 3 --dry-run --reuse made", exitDone, "reuse mini-baby: 2 of 3 replies; 1 questions are left", ""},
		{"run --models builtin --fail-fast", exitUsage, "add --expected", ""},
		{"run --models builtin --audit 5%", exitUsage, "--audit needs a second host", ""},
		{"run --resume made/one", exitDone, "resuming made/one", ""},
		{"worker --concurrency 0", exitUsage, "--concurrency 0", ""},
		{"worker", exitUsage, "--nats", ""},
		{"report made/one --format md,json --out shown --country FRA", exitDone, "shown/summary.md", "shown/summary.json"},
		{"report made/one --format pdf", exitUsage, `format "pdf"`, ""},
		{"report made/one --without-host gpu1", exitUsage, `leave out host "gpu1"`, ""},
		{"score made/one --include-prompt", exitDone, "include_prompt true", ""},
		{"score made/one --embedding vectors", exitFailed, "127.0.0.1:1", ""},
		{"score --pairs nowhere.jsonl", exitUsage, "nowhere.jsonl", ""},
		{"explain made/one --model mini-baby --query geo-capital-france --sample 0", exitDone, "keyword", ""},
		{"explain made/one --model nobody --query geo-capital-france", exitUsage, "nobody", ""},
		{"gate made/one --expected expected.yaml --bless --bless-right", exitDone, "queries_right", "expected.yaml"},
		{"gate made/one --expected expected.yaml --any-host", exitDone, "pass", "made/one/junit.xml"},
		{"gate made/one --expected expected.yaml --paired made/one", exitUsage, "is the run itself", ""},
		{"comment made/one", exitUsage, "neither GITHUB_ACTIONS nor GITLAB_CI", ""},
		{"review import nowhere.xlsx", exitUsage, "nowhere.xlsx", ""},
		{"review import made/one/report.xlsx --run made/one", exitUsage, "verdict", ""},
		{"audit published", exitRegression, "0.34 W", ""},
		{"models list --models builtin", exitDone, "mini-teacher", ""},
		{"models check --models builtin", exitDone, "exact continuations", ""},
		{"models pull --models builtin", exitDone, "nothing to pull", ""},
		{"models doctor --format yaml x", exitUsage, "not text or json", ""},
		{"queries list set.csv", exitDone, "Lima", ""},
		{"queries check --models builtin", exitDone, "0 errors", ""},
		{"queries export set.csv", exitDone, `"keyword":"Lima"`, ""},
		{"energy probe --exporter http://127.0.0.1:1/metrics", exitDone, "127.0.0.1:1", ""},
		{"energy watch --period 1ms", exitUsage, "at least 100ms", ""},
		{"init --out mine.yaml", exitDone, "disteval run --models mine.yaml", "mine.yaml"},
		{"doctor --models mine.yaml", exitDone, "works   mine.yaml", ""},
		{"version", exitDone, "disteval ", ""},
	} {
		t.Run(tt.args, func(t *testing.T) {
			args := strings.Fields(tt.args)
			out, messages := do(t, tt.code, args...)
			if !strings.Contains(strings.ToLower(out+messages), strings.ToLower(tt.says)) {
				t.Errorf("no %q in\n%s%s", tt.says, out, messages)
			}
			if tt.file != "" && !exists(tt.file) {
				t.Errorf("%s is not there", tt.file)
			}
			cmd, _, err := newRootCmd(&app{}).Find(args)
			if err != nil {
				t.Fatal(err)
			}
			tested[cmd.CommandPath()] = true
		})
	}
	each(newRootCmd(&app{}), func(c *cobra.Command) {
		if c.Runnable() && !c.HasSubCommands() && !tested[c.CommandPath()] {
			t.Errorf("%s is not tried", c.CommandPath())
		}
	})
}

func each(c *cobra.Command, do func(*cobra.Command)) {
	do(c)
	for _, sub := range c.Commands() {
		each(sub, do)
	}
}
