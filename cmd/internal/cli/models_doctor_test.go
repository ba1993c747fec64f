package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval/hub"
	"github.com/disteval/disteval/eval/hub/hubtest"
)

const miniBaby = "../../../eval/builtin/models/mini-baby.gguf"

// TestModelsDoctor: text and JSON, and the exit code of each kind of source.
func TestModelsDoctor(t *testing.T) {
	whole, err := os.ReadFile(miniBaby)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	sentences := filepath.Join(dir, "text")
	writeFiles(t, dir, map[string][]byte{
		"cut.gguf": whole[:len(whole)-5000], "pointer.gguf": []byte("version https://git-lfs.github.com/spec/v1\n"),
		"text": []byte(strings.Repeat("The capital of France is Paris.\n", 9)),
	})
	random := hubtest.Random(hubtest.Model{Hidden: 32, Intermediate: 32, Layers: 2, Heads: 2, KVHeads: 2, Positions: 64}, 400, 1)
	writeFiles(t, filepath.Join(dir, "folder"), random.Files(hubtest.Options{Config: map[string]any{"torch_dtype": "float16"}}))
	cut, pointer, folder := filepath.Join(dir, "cut.gguf"), filepath.Join(dir, "pointer.gguf"), filepath.Join(dir, "folder")
	for _, tt := range []struct {
		name   string
		args   []string
		code   int
		out    []string
		errout string
	}{
		{"sound", []string{miniBaby}, exitDone, []string{"mini-baby.gguf: sound", "356,800 parameters", "as stored: ", "positions 1 to 15"}, ""},
		{"remarks", []string{folder}, exitDone, []string{"folder: sound", "remark (types): config.json states F16, the matrices are stored as F32", "remark (rotary)", "    do: "}, ""},
		{"fault", []string{cut}, exitRegression, []string{"cut.gguf: at fault", "fault (whole): ", "not done: layout of q and k"}, ""},
		{"unreadable", []string{pointer}, exitUsage, nil, "git lfs pull"},
		{"several", []string{cut, pointer, folder}, exitUsage, []string{"cut.gguf: at fault", "folder: sound"}, "Git LFS pointer"},
		{"own text", []string{"--text", sentences, miniBaby}, exitDone, []string{"sound", "undecided: only 1 different sentences"}, ""},
		{"no text", []string{"--text", filepath.Join(dir, "none"), miniBaby}, exitUsage, nil, "one sentence a line"},
		{"no such format", []string{"--format", "yaml", miniBaby}, exitUsage, nil, "not text or json"},
		{"no source", nil, exitUsage, nil, "SOURCE is missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("XDG_CACHE_HOME", t.TempDir())
			var out, messages bytes.Buffer
			code := run(t.Context(), append([]string{"models", "doctor"}, tt.args...), strings.NewReader(""), &out, &messages)
			if code != tt.code {
				t.Errorf("exit code %d, want %d\n%s%s", code, tt.code, &out, &messages)
			}
			for _, want := range tt.out {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is missing in\n%s", want, &out)
				}
			}
			if !strings.Contains(messages.String(), tt.errout) {
				t.Errorf("%q is missing in\n%s", tt.errout, &messages)
			}
		})
	}
}

func TestModelsDoctorJSON(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var out, messages bytes.Buffer
	if code := run(t.Context(), []string{"models", "doctor", "--format", "json", miniBaby}, strings.NewReader(""), &out, &messages); code != exitDone {
		t.Fatalf("exit code %d: %s", code, &messages)
	}
	var d hub.Diagnosis
	decoder := json.NewDecoder(&out)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		t.Fatal(err)
	}
	if d.Schema != hub.DoctorSchema || !d.Sound || d.Parameters != 356_800 || len(d.Rotary.Readings) != 3 || d.Rotary.CI95[0] <= 0 || len(d.Context) != 4 {
		t.Errorf("%+v", d)
	}
}
