package cli

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
)

func TestDoctor(t *testing.T) {
	emptyPlace(t)
	t.Setenv("OLLAMA_HOST", "127.0.0.1:1")
	out, _ := do(t, exitDone, "doctor", "--country", "AUS", "--color", "never")
	for _, want := range []string{"disteval ", "fails   Ollama", "disteval init", "works   carbon factor", "works   folder of runs", "charts of reports"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if n := strings.Count(out, "\n"); n > 30 {
		t.Errorf("%d lines are more than a screen", n)
	}
	do(t, exitDone, "init", "--out", "mine.yaml")
	if out, _ := do(t, exitDone, "doctor", "--models", "mine.yaml"); !strings.Contains(out, "works   mine.yaml") {
		t.Errorf("what init writes is not found sound:\n%s", out)
	}
	if err := os.WriteFile("file", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	out, messages := do(t, exitFailed, "doctor", "--json", "--out", "file/runs")
	var said checkupJSON
	if err := json.Unmarshal([]byte(out), &said); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	if said.Schema != "disteval.doctor/1" || said.CanRun || len(said.Conditions) < 8 || said.Conditions[0].State != eval.Fails || !strings.Contains(messages, "nothing can run") {
		t.Errorf("%+v\n%s", said, messages)
	}
}
