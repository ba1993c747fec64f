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
