package cli

import (
	"bytes"
	"strings"
	"testing"
)

// TestSlipsOfThePen: a mistyped command, flag or key is told with the one that
// is nearest; one that is near nothing, with where to look.
func TestSlipsOfThePen(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("XDG_CONFIG_HOME", dir)
	writeFiles(t, dir, map[string][]byte{
		"m.yaml": []byte("version: 1\ngeneratoin: {seed: 1}\nmodels: [{name: a, provider: builtin, model: mini-baby}]\n"),
		"n.yaml": []byte("version: 1\ngeneration: {num_predcit: 1}\nmodels: [{name: a, provider: builtin, modle: mini-baby}]\n"),
		"e.yaml": []byte("version: 1\nmodels:\n  a: {metrics: {em: {expected: 1, tolerence: 0.1}}}\n"),
	})
	for _, tt := range []struct {
		args string
		says []string
	}{
		{"rnu", []string{`unknown command "rnu"`, "did you mean disteval run?"}},
		{"modles list", []string{"did you mean disteval models?"}},
		{"models lits", []string{`disteval: models: unknown command "lits"`, "did you mean disteval models list?"}},
		{"queries exprot", []string{"did you mean disteval queries export?"}},
		{"energy prob", []string{"did you mean disteval energy probe?"}},
		{"review imprt a.xlsx", []string{"did you mean disteval review import?"}},
		{"frobnicate", []string{`unknown command "frobnicate"`, "disteval --help lists the commands"}},
		{"run --modles builtin", []string{"unknown flag: --modles", "did you mean --models?"}},
		{"run --contry AUS", []string{"did you mean --country?"}},
		{"gate --expcted e.yaml", []string{"did you mean --expected?"}},
		{"models check --modls builtin", []string{"did you mean --models?"}},
		{"run --frobnicate", []string{"unknown flag", "see disteval run --help"}},
		{"run -x", []string{"unknown shorthand", "see disteval run --help"}},
		{"run --models m.yaml", []string{`m.yaml:2`, `did you mean "generation"?`}},
		{"run --models n.yaml", []string{`did you mean "num_predict"?`, `did you mean "model"?`}},
		{"run --models builtin --expected e.yaml", []string{`e.yaml:3`, `did you mean "tolerance"?`}},
		{"run", []string{"--models is missing", "disteval init"}},
		{"run --models nowhere.yaml", []string{"nowhere.yaml", "disteval init"}},
	} {
		var out, messages bytes.Buffer
		if code := run(t.Context(), strings.Fields(tt.args), nil, &out, &messages); code != exitUsage {
			t.Errorf("%s: exit code %d", tt.args, code)
		}
		for _, want := range tt.says {
			if !strings.Contains(messages.String(), want) {
				t.Errorf("%s: no %q in\n%s", tt.args, want, &messages)
			}
		}
		if strings.Contains(tt.args, "frobnicate") && strings.Contains(messages.String(), "did you mean") {
			t.Errorf("%s: a guess at nothing:\n%s", tt.args, &messages)
		}
	}
}
