package hub_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval/hub"
	"github.com/disteval/disteval/eval/hub/hubtest"
)

// sharded is a sound model in two shards with an index.
func sharded() map[string][]byte {
	m := hubtest.Random(hubtest.Model{Hidden: 64, Intermediate: 96, Layers: 2, Heads: 4, KVHeads: 4, Positions: 64}, 400, 1)
	return m.Files(hubtest.Options{Shards: 2, DType: "F32"})
}

const indexFile = "model.safetensors.index.json"

// TestIndex plants faults into the index of a model in shards.
func TestIndex(t *testing.T) {
	type index struct {
		Metadata map[string]any    `json:"metadata,omitempty"`
		Shards   map[string]string `json:"weight_map"`
	}
	const embedding, first, second = "model.embed_tokens.weight", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
	bytes := 0
	for name, content := range sharded() {
		if strings.HasSuffix(name, ".safetensors") {
			bytes += len(content) - 8 - int(content[0]) - int(content[1])<<8 - int(content[2])<<16
		}
	}
	for name, tt := range map[string]struct {
		change func(*index)
		level  hub.Level // empty: nothing is found
		where  string
		what   string
	}{
		"sound":            {func(*index) {}, "", "", ""},
		"its own size":     {func(i *index) { i.Metadata = map[string]any{"total_size": bytes} }, "", "", ""},
		"position tables":  {func(i *index) { i.Shards["model.layers.0.self_attn.rotary_emb.inv_freq"] = first }, "", "", ""},
		"a lost tensor":    {func(i *index) { i.Shards["model.extra.weight"] = first }, hub.Fault, "model.extra.weight", "names 1 tensors that no shard has"},
		"another shard":    {func(i *index) { i.Shards[embedding] = second }, hub.Fault, embedding, "in another shard"},
		"a missing shard":  {func(i *index) { i.Shards[embedding] = "model-00003-of-00003.safetensors" }, hub.Fault, "model-00003-of-00003", "shards that are not there"},
		"a path":           {func(i *index) { i.Shards[embedding] = "../../etc/passwd" }, hub.Fault, "../../etc/passwd", "shards that are not there"},
		"a tensor unnamed": {func(i *index) { delete(i.Shards, embedding) }, hub.Fault, embedding, "leaves out 1 tensors"},
		"another size":     {func(i *index) { i.Metadata = map[string]any{"total_size": 7} }, hub.Remark, indexFile, "total_size is 7"},
		"no map":           {func(i *index) { i.Shards = nil }, hub.Fault, indexFile, "no index of shards"},
	} {
		files := sharded()
		var i index
		if err := json.Unmarshal(files[indexFile], &i); err != nil {
			t.Fatal(err)
		}
		tt.change(&i)
		files[indexFile], _ = json.Marshal(i)
		m, err := client(t, hub.Config{Cache: t.TempDir()}).Local(t.Context(), folder(t, files), quiet)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, f := range m.Files {
			if f.Name == indexFile {
				t.Errorf("%s: the index is among the files of the model", name)
			}
		}
		switch {
		case tt.level == "" && len(m.Index) > 0:
			t.Errorf("%s: %+v", name, m.Index)
		case tt.level != "" && (len(m.Index) != 1 || m.Index[0].Level != tt.level || !strings.Contains(m.Index[0].Where, tt.where) || !strings.Contains(m.Index[0].What, tt.what)):
			t.Errorf("%s: %+v, want one %s with %q", name, m.Index, tt.level, tt.what)
		}
	}
	files := sharded()
	files[indexFile] = []byte("{")
	m, err := client(t, hub.Config{Cache: t.TempDir()}).Local(t.Context(), folder(t, files), quiet)
	if err != nil || len(m.Index) != 1 || m.Index[0].Level != hub.Fault {
		t.Errorf("half an index: %+v, %v", m.Index, err)
	}
}
