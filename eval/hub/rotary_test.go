package hub_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval/hub"
	"github.com/disteval/disteval/eval/hub/hubtest"
)

// TestGetDropsRotary leaves out what Ollama's runner would stumble over, and
// keeps every weight.
func TestGetDropsRotary(t *testing.T) {
	_, c, cache := fixture(t, hubtest.EarlyLLaMA())
	var got hub.Model
	for range 2 {
		var err error
		if got, err = c.Get(t.Context(), ref, quiet); err != nil {
			t.Fatal(err)
		}
	}
	if got.Files[0].Name != "model.safetensors" || strings.Contains(cached(t, cache), "converting") {
		t.Errorf("%+v; the cache holds %s", got.Files[0], cached(t, cache))
	}
	plain := readSafetensors(t, file(t, "plain", hubtest.TinyLLaMA()["model.safetensors"]))
	trimmed := readSafetensors(t, got.Files[0].Path)
	if len(trimmed.header) != len(plain.header) || len(trimmed.data) != len(plain.data) {
		t.Errorf("%d tensors of %d bytes, want %d of %d", len(trimmed.header), len(trimmed.data), len(plain.header), len(plain.data))
	}
	for name := range plain.header {
		if !slices.Equal(trimmed.values(name), plain.values(name)) || !slices.Equal(trimmed.header[name].Shape, plain.header[name].Shape) {
			t.Errorf("%s has changed", name)
		}
	}
}

// TestGetRotaryRefused refuses tensors that lie on one another before a copy is made of them.
func TestGetRotaryRefused(t *testing.T) {
	text := `{"model.layers.0.self_attn.rotary_emb.inv_freq":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`
	for i := range 9 {
		text += fmt.Sprintf(`,"w%d":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`, i)
	}
	text += "}"
	files := hubtest.Settings()
	files["model.safetensors"] = append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...), make([]byte, 8)...)
	_, c, cache := fixture(t, files)
	_, err := c.Get(t.Context(), ref, quiet)
	wantFault(t, err, "overlap", "get the file again")
	if strings.Contains(cached(t, cache), "convert") {
		t.Errorf("left behind: %s", cached(t, cache))
	}
}
