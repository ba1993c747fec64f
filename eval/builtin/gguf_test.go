package builtin

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ollama/ollama/fs/gguf"
)

func f32bits(v float32) uint32 { return math.Float32bits(v) }

func TestTinyAnswers(t *testing.T) {
	l, err := openBytes(t, newTiny().bytes())
	if err != nil {
		t.Fatal(err)
	}
	res, err := l.Generate(t.Context(), "ab", Options{}, nil)
	if err != nil || res.CompletionTokens == 0 {
		t.Fatalf("%+v %v", res, err)
	}
}

// TestRefusals spoils the tiny model in one way each; the error must name it.
func TestRefusals(t *testing.T) {
	nan := f32bits(float32(math.NaN()))
	for _, c := range []struct {
		name  string
		want  string
		spoil func(m *tiny)
	}{
		{"other architecture", `architecture "gemma3"`, func(m *tiny) { m.set("general.architecture", "gemma3") }},
		{"no architecture", `architecture ""`, func(m *tiny) { m.unset("general.architecture") }},
		{"mixture of experts", "8 experts", func(m *tiny) { m.set("llama.expert_count", uint32(8)) }},
		{"scaled positions", `rope scaling "yarn"`, func(m *tiny) { m.set("llama.rope.scaling.type", "yarn") }},
		{"other quantisation", "Q4_K", func(m *tiny) { m.tensor("output.weight").kind = 12 }},
		{"dense quantisation", "IQ1_S", func(m *tiny) {
			m.tensor("output.weight").kind, m.tensor("output.weight").shape = 19, []uint64{256, 800}
		}},
		{"unknown quantisation", "type 4000", func(m *tiny) { m.tensor("output.weight").kind = 4000 }},
		{"other tokenizer", `tokenizer "t5"`, func(m *tiny) { m.set("tokenizer.ggml.model", "t5") }},
		{"scores missing", "10 tokens and 0 scores", func(m *tiny) { m.unset("tokenizer.ggml.scores") }},
		{"score not a number", "token 0", func(m *tiny) { m.set("tokenizer.ggml.scores", []float32{float32(math.NaN()), 9: 0}) }},
		{"empty special token", "token 1 is empty", func(m *tiny) {
			m.set("tokenizer.ggml.tokens", []string{"<unk>", "", "</s>", "a", "b", "c", "d", "e", "f", "g"})
		}},
		{"end token outside", "eos_token_id", func(m *tiny) { m.set("tokenizer.ggml.eos_token_id", uint32(10)) }},
		{"no layers", "block_count is 0", func(m *tiny) { m.set("llama.block_count", uint32(0)) }},
		{"a billion layers", "block_count is 1000000000", func(m *tiny) { m.set("llama.block_count", uint32(1e9)) }},
		{"size of another type", "embedding_length is wide", func(m *tiny) { m.set("llama.embedding_length", "wide") }},
		{"no epsilon", "epsilon is missing", func(m *tiny) { m.unset("llama.attention.layer_norm_rms_epsilon") }},
		{"heads that do not divide", "3", func(m *tiny) { m.set("llama.attention.head_count", uint32(3)) }},
		{"wrong shape", "blk.0.attn_k.weight has the shape", func(m *tiny) { m.set("llama.embedding_length", uint32(64)) }},
		{"missing tensor", "output_norm.weight is missing", func(m *tiny) { m.tensor("output_norm.weight").name = "other" }},
		{"further tensor", `"blk.0.attn_q.bias"`, func(m *tiny) {
			m.tensors = append(m.tensors, tensor{"blk.0.attn_q.bias", []uint64{1}, 0, make([]byte, 4), -1})
		}},
		{"tensor twice", "twice", func(m *tiny) { m.tensors = append(m.tensors, m.tensors[0]) }},
		{"key twice", "twice", func(m *tiny) { m.keys = append(m.keys, m.keys[0]) }},
		{"tensor past the end", "truncated or corrupt", func(m *tiny) { m.tensor("output.weight").offset = 30976 }},
		{"tensor far past the end", "past the end", func(m *tiny) { m.tensor("output.weight").offset = math.MaxInt64 }},
		{"unaligned tensor", "truncated or corrupt", func(m *tiny) { m.tensor("output.weight").offset = 1 }},
		{"shape that overflows", "more elements", func(m *tiny) { m.tensor("output.weight").shape = []uint64{1 << 32, 1 << 32, 1 << 32} }},
		{"many dimensions", "9 dimensions", func(m *tiny) { m.tensor("output.weight").shape = slices.Repeat([]uint64{1}, 9) }},
		{"rows no blocks", "Q8_0", func(m *tiny) {
			m.tensor("output.weight").shape, m.tensor("output.weight").kind = []uint64{10, 32}, 8
		}},
		{"weight not a number", "output.weight: number 0 is NaN", func(m *tiny) { binary.LittleEndian.PutUint32(m.tensor("output.weight").data, nan) }},
		{"alignment zero", "general.alignment", func(m *tiny) { m.set("general.alignment", uint32(0)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newTiny()
			c.spoil(m)
			l, err := openBytes(t, m.bytes())
			if err == nil {
				err = l.Load()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("the error %v does not say %q", err, c.want)
			}
		})
	}
}

// TestTruncated cuts the file at every byte: always an error, never a panic.
func TestTruncated(t *testing.T) {
	raw := newTiny().bytes()
	for n := range len(raw) - 32 { // what pads the last tensor may be missing
		g, err := readGGUF(bytes.NewReader(raw[:n]), int64(n))
		if err == nil {
			_, err = readConfig(g)
		}
		if err == nil {
			t.Fatalf("a file cut after %d of %d bytes is accepted", n, len(raw))
		}
	}
}

// TestClaimsAreNotBelieved gives headers that claim far more than the file holds.
func TestClaimsAreNotBelieved(t *testing.T) {
	u64 := func(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }
	u32 := func(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }
	head := func(tensors, keys uint64) []byte {
		return slices.Concat([]byte("GGUF"), u32(3), u64(tensors), u64(keys))
	}
	named := slices.Concat(head(0, 1), u64(1), []byte("k"))
	for name, raw := range map[string][]byte{
		"tensors":         append(head(1e9, 0), make([]byte, 4096)...),
		"keys":            append(head(0, 1<<60), make([]byte, 4096)...),
		"string":          append(head(0, 1), u64(1<<62)...),
		"list":            slices.Concat(named, u32(typeArray), u32(typeFloat32), u64(1<<61), make([]byte, 64)),
		"list of text":    slices.Concat(named, u32(typeArray), u32(typeString), u64(1<<61), make([]byte, 64)),
		"list of lists":   slices.Concat(named, u32(typeArray), u32(typeArray), u64(1), make([]byte, 64)),
		"unknown type":    slices.Concat(named, u32(99), make([]byte, 64)),
		"version":         slices.Concat([]byte("GGUF"), u32(0x03000000), make([]byte, 64)),
		"Git LFS pointer": []byte("version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("0", 64) + "\nsize 500000000000\n"),
		"another format":  []byte("PK\x03\x04 and so on and so on and so on"),
		"nothing":         nil,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := readGGUF(bytes.NewReader(raw), int64(len(raw))); err == nil || strings.Contains(err.Error(), "LFS") != strings.Contains(name, "LFS") {
			t.Errorf("%s: %v", name, err)
		}
		if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 1<<20 {
			t.Errorf("%s: %d bytes allocated for a file of %d", name, after.TotalAlloc-before.TotalAlloc, len(raw))
		}
	}
}

// TestHugeFile refuses a model that a sparse file of 500 GB begins with,
// without reading on to hash it.
func TestHugeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "huge.gguf")
	if err := os.WriteFile(path, newTiny().bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 500e9); err != nil {
		t.Skipf("no sparse file of 500 GB here: %v", err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "after its last tensor") {
		t.Errorf("%v", err)
	}
}

// TestLongDirectory stops reading a directory that no small model has, though
// the file is as long as it claims.
func TestLongDirectory(t *testing.T) {
	const count, each = 100, 1 << 20
	raw := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64([]byte("GGUF\x03\x00\x00\x00"), 0), 1)
	raw = binary.LittleEndian.AppendUint64(raw, 1)
	raw = append(raw, 'k', typeArray, 0, 0, 0, typeString, 0, 0, 0)
	raw = binary.LittleEndian.AppendUint64(raw, count)
	for range count {
		raw = append(binary.LittleEndian.AppendUint64(raw, each), make([]byte, each)...)
	}
	if _, err := readGGUF(bytes.NewReader(raw), int64(len(raw))); err == nil || !strings.Contains(err.Error(), "64 MB") {
		t.Errorf("a directory of %d bytes: %v", len(raw), err)
	}
}

// TestReadersAgree reads the embedded files with Ollama's GGUF reader too.
func TestReadersAgree(t *testing.T) {
	for _, name := range Names() {
		theirs, err := gguf.Open(filepath.Join("models", name+".gguf"))
		if err != nil {
			t.Fatal(err)
		}
		defer theirs.Close()
		ours, done, err := open(t, name).open()
		if err != nil {
			t.Fatal(err)
		}
		defer done()
		if want := theirs.KeyValue("tokenizer.ggml.tokens").Strings(); !slices.Equal(want, ours.values["tokenizer.ggml.tokens"].([]string)) {
			t.Errorf("%s: other tokens", name)
		}
		if want := theirs.KeyValue("context_length").Uint(); want != ours.values["llama.context_length"] {
			t.Errorf("%s: context %v, Ollama reads %d", name, ours.values["llama.context_length"], want)
		}
		if theirs.NumTensors() != len(ours.tensors) {
			t.Errorf("%s: %d tensors, Ollama reads %d", name, len(ours.tensors), theirs.NumTensors())
		}
		for tensor, info := range ours.tensors {
			if want := theirs.TensorInfo(tensor); uint32(want.Type) != uint32(info.kind) || want.NumValues() != int64(info.count) {
				t.Errorf("%s: tensor %s is %v, Ollama reads %v", name, tensor, info, want)
			}
		}
	}
}

func FuzzGGUF(f *testing.F) {
	raw := newTiny().bytes()
	f.Add(raw)
	f.Add(raw[:len(raw)/2])
	f.Add(raw[:64])
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := bytes.NewReader(raw)
		g, err := readGGUF(r, r.Size())
		if err != nil {
			return
		}
		c, v, err := check(g)
		if err != nil {
			return
		}
		m, err := readModel(g, c, v)
		if err != nil {
			return
		}
		ids, err := v.encode("a ab", c.context)
		if err != nil {
			return
		}
		run := generation{session: m.newSession(), sampler: newSampler(Options{NumPredict: 2}, ids), limit: c.context}
		if _, err := run.run(t.Context(), ids); err != nil && !strings.Contains(err.Error(), "not finite") && !strings.Contains(err.Error(), "decode token") {
			t.Fatal(err)
		}
	})
}
