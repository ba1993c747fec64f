package session

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"github.com/disteval/disteval/eval/hub"
	"github.com/disteval/disteval/eval/hub/hubtest"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestDoctorOtherLayouts: a GGUF file whose q and k were never permuted, or once
// too often, is told from a sound one.
func TestDoctorOtherLayouts(t *testing.T) {
	m := teacher(t)
	cfg := hub.Config{Cache: t.TempDir()}
	h, err := hub.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		meta   bool
		layout hub.Layout
		want   string
	}{
		{false, hub.LayoutHF, ""},
		{true, hub.LayoutMeta, ""},
		{false, hub.LayoutMeta, "stored in Hugging Face's layout, without the permutation of q and k"},
		{true, hub.LayoutHF, "stored in Meta's layout, permuted once too often"},
	} {
		w, err := open(t.Context(), cfg, folder(t, m.Files(hubtest.Options{Meta: tt.meta, Tokenizer: plain})), quiet)
		if err != nil {
			t.Fatal(err)
		}
		file, rounded, err := h.ToGGUF(t.Context(), w, tt.layout, quiet)
		if err != nil || !rounded {
			t.Fatal(rounded, err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		d, err := examine(t, file.Path)
		if err != nil || d.Sound != (tt.want == "") || tt.want != "" && !has(d, "rotary", tt.want) {
			t.Errorf("meta %t converted as %s: %+v, %v", tt.meta, tt.layout, d, err)
		}
	}
}

// TestDoctorGGUF plants faults into a GGUF file.
func TestDoctorGGUF(t *testing.T) {
	whole, err := os.ReadFile(teacherFile)
	if err != nil {
		t.Fatal(err)
	}
	write := func(content []byte) string {
		path := filepath.Join(t.TempDir(), "own.gguf")
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	d, err := examine(t, write(whole[:len(whole)/2]))
	if err != nil || d.Sound || !has(d, "whole", "of a file of") {
		t.Errorf("half a file: %+v, %v", d, err)
	}
	hidden := []byte(strings.Replace(string(whole), "tokenizer.ggml.scores", "tokenizer.ggml.scoreX", 1))
	if d, err = examine(t, write(hidden)); err != nil || d.Sound || !has(d, "metadata", "tokenizer.ggml.scores is missing") {
		t.Errorf("without scores: %+v, %v", d, err)
	}
	for name, content := range map[string][]byte{"Git LFS": []byte("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"), "inside its directory": whole[:2000], "not a GGUF file": []byte("<html>"), "claims": huge(whole)} {
		if _, err := examine(t, write(content)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// huge claims 2^62 metadata keys.
func huge(whole []byte) []byte {
	out := slices.Clone(whole)
	binary.LittleEndian.PutUint64(out[16:], 1<<62)
	return out
}

func has(d *hub.Diagnosis, check, what string) bool {
	return slices.ContainsFunc(d.Findings, func(f hub.Finding) bool { return f.Check == check && strings.Contains(f.What, what) })
}

// TestDoctorUnreadable: a source that is no checkpoint is an error that says
// what it is.
func TestDoctorUnreadable(t *testing.T) {
	files := teacher(t).Files(hubtest.Options{})
	with := func(name string, content []byte) string {
		changed := make(map[string][]byte)
		for n, c := range files {
			changed[n] = c
		}
		changed[name] = content
		if content == nil {
			delete(changed, name)
		}
		return folder(t, changed)
	}
	two := folder(t, map[string][]byte{"a.gguf": []byte("GGUF"), "b.gguf": []byte("GGUF")})
	linked := with("tokenizer_config.json", nil)
	outside, err := filepath.Abs(teacherFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(linked, "tokenizer_config.json")); err != nil {
		t.Skip("no links here: ", err)
	}
	for source, want := range map[string]string{
		with("config.json", []byte("{")):                                        "config.json: unexpected EOF",
		with("config.json", []byte(`{"num_hidden_layers":"four"}`)):             "num_hidden_layers is a string, not a number",
		with("config.json", nil):                                                "no config.json",
		with("tokenizer.model", nil):                                            "neither tokenizer.json nor tokenizer.model",
		with("model.safetensors", []byte("version https://git-lfs.github.com")): "Git LFS pointer",
		with("model.safetensors", files["model.safetensors"][:5000]):            "not a whole safetensors file",
		two:                        "2 GGUF files",
		linked:                     "link",
		filepath.Join(two, "none"): "none",
		"s3://bucket/model":        "unknown kind",
		"hf://own":                 "OWNER/REPO",
	} {
		if d, err := examine(t, source); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v; want %q", source, d, err, want)
		}
	}
}

// TestDoctorInterrupted leaves nothing behind.
func TestDoctorInterrupted(t *testing.T) {
	dir, cache := folder(t, teacher(t).Files(hubtest.Options{})), t.TempDir()
	for _, step := range []string{"check", "read the weights", "read the text in"} {
		ctx, cancel := context.WithCancel(t.Context())
		stop := func(now string, _, _ int64) {
			if strings.HasPrefix(now, step) {
				cancel()
			}
		}
		_, err := Doctor(ctx, hub.Config{Cache: cache}, dir, nil, stop, stop)
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted in %q: %v", step, err)
		}
	}
	if left, _ := os.ReadDir(cache); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}

	w, err := open(t.Context(), hub.Config{Cache: cache}, dir, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	h, err := hub.New(hub.Config{Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, _, err := h.ToGGUF(ctx, w, hub.LayoutHF, func(string, int64, int64) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted in the conversion: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(cache, "converted", "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestSentences reads a text of the user's.
func TestSentences(t *testing.T) {
	path := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(path, []byte("One.\n\n  Two. \n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := Sentences(path); err != nil || fmt.Sprint(got) != "[One. Two.]" {
		t.Errorf("%q, %v", got, err)
	}
	var input interface{ BadInput() }
	if _, err := Sentences(t.TempDir()); !errors.As(err, &input) || !strings.Contains(err.Error(), "no file of text") {
		t.Errorf("a folder as text: %v", err)
	}
}

// TestDoctorOtherArchitecture: what is known of LLaMA alone is not held against
// another; that it was not looked at is said.
func TestDoctorOtherArchitecture(t *testing.T) {
	m := hubtest.Random(hubtest.Model{Hidden: 32, Intermediate: 32, Layers: 2, Heads: 2, KVHeads: 2, Positions: 64}, 400, 3)
	clear(m.Weights["model.layers.0.mlp.up_proj.weight"])
	copy(m.Weights["model.layers.1.self_attn.q_proj.weight"], m.Weights["model.layers.0.self_attn.q_proj.weight"])
	files := m.Files(hubtest.Options{Config: map[string]any{"architectures": []string{"OtherForCausalLM"}, "hidden_size": nil}})
	d, err := examine(t, folder(t, files))
	if err != nil || !d.Sound || d.Architecture != "OtherForCausalLM" || len(d.NotDone) != 1 || !strings.Contains(d.NotDone[0], "this is OtherForCausalLM") {
		t.Errorf("%+v, %v", d, err)
	}
	m.Weights["model.norm.weight"][0] = float32(math.Inf(1))
	if d, err = examine(t, folder(t, m.Files(hubtest.Options{Config: map[string]any{"architectures": []string{"OtherForCausalLM"}}}))); err != nil || d.Sound {
		t.Errorf("an infinite number passes: %+v, %v", d, err)
	}
}
