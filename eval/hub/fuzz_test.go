package hub

import (
	"archive/zip"
	"bytes"
	"io"
	"testing"

	"github.com/disteval/disteval/eval/hub/hubtest"
)

// FuzzPickle: whatever a checkpoint's pickle says, reading it ends with an
// error or with tensors that can be written and are read back.
func FuzzPickle(f *testing.F) {
	old := hubtest.Checkpoint()
	archive, err := zip.NewReader(bytes.NewReader(old), int64(len(old)))
	if err != nil {
		f.Fatal(err)
	}
	c := &checkpoint{root: "pytorch_model", files: make(map[string]*zip.File)}
	for _, file := range archive.File {
		c.files[file.Name] = file
	}
	seed, err := readAll(c.files["pytorch_model/data.pkl"], maxPickle)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte("\x80\x02}X\x01\x00\x00\x00wK\x01s."))
	f.Fuzz(func(t *testing.T, p []byte) {
		if checkPickle(p) != nil {
			return
		}
		state, err := c.unpickle(p)
		if err != nil {
			return
		}
		tensors, err := tensorsOf(state)
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := writeSafetensors(t.Context(), &out, tensors, func(int64, int64) {}); err != nil {
			return
		}
		if _, err := readHeader(&out, int64(out.Len())); err != nil {
			t.Errorf("what was written is refused: %v", err)
		}
	})
}

// FuzzSafetensorsHeader: a header is refused or describes the file.
func FuzzSafetensorsHeader(f *testing.F) {
	f.Add(hubtest.TinyLLaMA()["model.safetensors"][:3000], int64(350_000))
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"), int64(10))
	f.Fuzz(func(_ *testing.T, b []byte, size int64) {
		_, _ = readHeader(io.LimitReader(bytes.NewReader(b), max(0, size)), size)
	})
}

// FuzzWords: whatever the files of a tokenizer and a configuration say, reading
// them ends with an error or with a vocabulary whose parts are of one length.
func FuzzWords(f *testing.F) {
	files := hubtest.Settings()
	spm := hubtest.Random(hubtest.Model{Hidden: 8, Intermediate: 8, Layers: 1, Heads: 2, KVHeads: 1, Positions: 8}, 300, 1).Files(hubtest.Options{})
	f.Add(files["config.json"], files["tokenizer.json"], []byte(nil), files["tokenizer_config.json"], []byte(`{"a": 260}`))
	f.Add(spm["config.json"], []byte(nil), spm["tokenizer.model"], spm["tokenizer_config.json"], []byte(nil))
	f.Add([]byte(`{"vocab_size": 9, "hidden_size": 1e99, "eos_token_id": [1, null, 2]}`), []byte(`{"model": {"vocab": {"a": 0, "b": 5}, "merges": [["a", "b"]]}, "normalizer": {"normalizers": [{"type": "Prepend", "prepend": "▁"}]}}`), []byte(nil), []byte(`{"bos_token": {"content": "a"}}`), []byte(nil))
	f.Fuzz(func(t *testing.T, config, tokenizer, spm, settings, added []byte) {
		shape, _, err := readShape(config)
		if err != nil {
			return
		}
		shape.shapes()
		texts := map[string][]byte{"tokenizer.json": tokenizer, "tokenizer_config.json": settings, "added_tokens.json": added}
		if spm != nil {
			texts["tokenizer.model"] = spm
		}
		for name, text := range texts {
			if len(text) == 0 {
				delete(texts, name)
			}
		}
		w, _, err := readWords(texts, shape)
		if err != nil {
			return
		}
		if len(w.tokens) != len(w.types) || len(w.tokens) != len(w.scores) {
			t.Errorf("%d tokens, %d types, %d scores", len(w.tokens), len(w.types), len(w.scores))
		}
		for role, id := range w.ids {
			if id < 0 {
				t.Errorf("%s is number %d", role, id)
			}
		}
		shape.metadata(w)
	})
}
