package hub_test

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval/hub"
	"github.com/disteval/disteval/eval/hub/hubtest"
)

// folder writes a model's files into a new folder of the test.
func folder(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestSafetensorsRefused gives a header that does not describe its data.
func TestSafetensorsRefused(t *testing.T) {
	tests := []struct{ name, header, want string }{
		{"overlap", `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, `"a" and "b" overlap at byte 4`},
		{"hole", `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}`, `a hole of 4 bytes before tensor "b"`},
		{"hole at the start", `{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, `a hole of 4 bytes before tensor "a"`},
		{"hole at the end", `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, "end at byte 8 of 12"},
		{"negative shape", `{"a":{"dtype":"F32","shape":[-3],"data_offsets":[0,12]}}`, "impossible shape [-3]"},
		{"two negative sides", `{"a":{"dtype":"F32","shape":[-3,-1],"data_offsets":[0,12]}}`, "impossible shape"},
		{"overflow", `{"a":{"dtype":"F32","shape":[4611686018427387905,1],"data_offsets":[0,12]}}`, "impossible shape"},
		{"overflow to the right size", `{"a":{"dtype":"F32","shape":[4294967296,4294967296,3],"data_offsets":[0,12]}}`, "impossible shape"},
		{"number past int64", `{"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,12]}}`, `tensor "a"`},
		{"500 GB", `{"a":{"dtype":"F32","shape":[125000000000],"data_offsets":[0,500000000000]}}`, "lies at bytes [0 500000000000] of 12"},
		{"too few bytes", `{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,12]}}`, "needs 16 bytes and has 12"},
		{"same name", `{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}`, `"a" appears twice`},
		{"same name, spelled with an escape", `{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"\u0061":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}`, `"a" appears twice`},
		{"backwards", `{"a":{"dtype":"F32","shape":[3],"data_offsets":[12,0]}}`, "lies at bytes [12 0]"},
		{"unknown type", `{"a":{"dtype":"Q4","shape":[3],"data_offsets":[0,12]}}`, `type "Q4"`},
		{"list", `["a"]`, "not a JSON object"},
		{"cut", `{"a":{"dtype":"F32"`, "header"},
	}
	for _, tt := range tests {
		files := hubtest.Settings()
		files["model.safetensors"] = append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(tt.header))), tt.header...), make([]byte, 12)...)
		_, err := client(t, hub.Config{Cache: t.TempDir()}).Local(t.Context(), folder(t, files), quiet)
		t.Run(tt.name, func(t *testing.T) { wantFault(t, err, tt.want, "get the file again") })
	}
}

// TestShardsHoldTwice refuses a tensor that two files of a model hold.
func TestShardsHoldTwice(t *testing.T) {
	files := hubtest.TinyLLaMA()
	files["model-00001-of-00002.safetensors"] = files["model.safetensors"]
	files["model-00002-of-00002.safetensors"] = files["model.safetensors"]
	delete(files, "model.safetensors")
	_, err := client(t, hub.Config{Cache: t.TempDir()}).Local(t.Context(), folder(t, files), quiet)
	wantFault(t, err, "is in model-00001-of-00002.safetensors too", "get the file again")
}

const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:2264b5c2fbff5027881b9b32c7b90fc01fe6b85785571064a2880d306ffc8633\nsize 29928734\n"

// TestLFSPointer names what a clone without Git LFS has left.
func TestLFSPointer(t *testing.T) {
	for name := range map[string]bool{"model.safetensors": true, "tokenizer.json": true, "config.json": true} {
		files := hubtest.TinyLLaMA()
		files[name] = []byte(pointer)
		_, err := client(t, hub.Config{Cache: t.TempDir()}).Local(t.Context(), folder(t, files), quiet)
		wantFault(t, err, name+": it is a Git LFS pointer", "git lfs pull")
	}
	_, err := client(t, hub.Config{Cache: t.TempDir()}).Local(t.Context(), file(t, "own.gguf", []byte(pointer)), quiet)
	wantFault(t, err, "own.gguf: it is a Git LFS pointer", "git lfs pull")
}

// TestLinks takes a link within a folder and the hub's own cache, and sends
// nothing from elsewhere to a server.
func TestLinks(t *testing.T) {
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, name); err != nil {
			t.Skip("no links here: ", err)
		}
	}
	c := client(t, hub.Config{Cache: t.TempDir()})
	dir := folder(t, hubtest.TinyLLaMA())
	if err := os.Rename(filepath.Join(dir, "config.json"), filepath.Join(dir, "real.json")); err != nil {
		t.Fatal(err)
	}
	link("real.json", filepath.Join(dir, "config.json"))
	if _, err := c.Local(t.Context(), dir, quiet); err != nil {
		t.Errorf("a link within the folder: %v", err)
	}
	link(file(t, "secret", []byte(`{"a":1}`)), filepath.Join(dir, "tokenizer.model"))
	_, err := c.Local(t.Context(), dir, quiet)
	wantFault(t, err, "outside the folder", "put the file itself")

	cache := t.TempDir()
	blobs, snapshot := filepath.Join(cache, "blobs"), filepath.Join(cache, "snapshots", hubtest.Commit)
	for _, d := range []string{blobs, snapshot} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range hubtest.TinyLLaMA() {
		if err := os.WriteFile(filepath.Join(blobs, "blob-"+name), content, 0o644); err != nil {
			t.Fatal(err)
		}
		link(filepath.Join("..", "..", "blobs", "blob-"+name), filepath.Join(snapshot, name))
	}
	if _, err := c.Local(t.Context(), snapshot, quiet); err != nil {
		t.Errorf("a snapshot of the hub's cache: %v", err)
	}
}

// TestForOllama rewrites what Ollama's converter cannot take.
func TestForOllama(t *testing.T) {
	files := hubtest.TinyLLaMA()
	files["special_tokens_map.json"] = []byte(`{"additional_special_tokens":["<x>",{"content":"<y>","lstrip":true}],"bos_token":"<s>"}`)
	files["chat_template.jinja"] = []byte("{{ messages }}")
	c := client(t, hub.Config{Cache: t.TempDir()})
	m, err := c.Local(t.Context(), folder(t, files), quiet)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.ForOllama(t.Context(), m, quiet)
	if err != nil {
		t.Fatal(err)
	}
	texts := make(map[string]string)
	for _, f := range got {
		b, err := os.ReadFile(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		texts[f.Name] = string(b)
	}
	var special struct {
		Tokens []struct {
			Content string
			LStrip  bool
		} `json:"additional_special_tokens"`
		BOS string `json:"bos_token"`
	}
	err = json.Unmarshal([]byte(texts["special_tokens_map.json"]), &special)
	if err != nil || len(special.Tokens) != 2 || special.Tokens[0].Content != "<x>" || !special.Tokens[1].LStrip || special.BOS != "<s>" {
		t.Errorf("special tokens: %s, %v", texts["special_tokens_map.json"], err)
	}
	if !strings.Contains(texts["tokenizer_config.json"], `"chat_template":"{{ messages }}"`) || !strings.Contains(texts["tokenizer_config.json"], `"add_bos_token":false`) {
		t.Errorf("tokenizer_config.json: %s", texts["tokenizer_config.json"])
	}
	if _, there := texts["chat_template.jinja"]; there {
		t.Error("chat_template.jinja goes to Ollama too")
	}

	files["special_tokens_map.json"] = []byte(`{"additional_special_tokens":[7]}`)
	if m, err = c.Local(t.Context(), folder(t, files), quiet); err == nil {
		_, err = c.ForOllama(t.Context(), m, quiet)
	}
	wantFault(t, err, "holds 7, which is not a token", "correct the file")
}
