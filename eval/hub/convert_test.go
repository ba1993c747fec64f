package hub_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/x448/float16"

	"github.com/disteval/disteval/eval/hub"
	"github.com/disteval/disteval/eval/hub/hubtest"
)

func nothing(int64, int64) {}

// file writes content into a new file of the test.
func file(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// safetensors is a file as a reader of the format sees it.
type safetensors struct {
	header map[string]struct {
		DType   string   `json:"dtype"`
		Shape   []int    `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	data []byte
}

func readSafetensors(t *testing.T, path string) (s safetensors) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(b)
	if err := json.Unmarshal(b[8:8+n], &s.header); err != nil {
		// The metadata has another shape; the tensors are read all the same.
		var other *json.UnmarshalTypeError
		if !errors.As(err, &other) {
			t.Fatal(err)
		}
	}
	delete(s.header, "__metadata__")
	s.data = b[8+n:]
	return s
}

// values are a tensor's numbers.
func (s safetensors) values(name string) []float64 {
	e := s.header[name]
	var out []float64
	for b := s.data[e.Offsets[0]:e.Offsets[1]]; len(b) > 0; {
		switch e.DType {
		case "F32":
			out, b = append(out, float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))), b[4:]
		case "F16":
			out, b = append(out, float64(float16.Frombits(binary.LittleEndian.Uint16(b)).Float32())), b[2:]
		case "BF16":
			out, b = append(out, float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(b))<<16))), b[2:]
		}
	}
	return out
}

// TestConvert compares with what torch itself printed of the checkpoint.
func TestConvert(t *testing.T) {
	dest := filepath.Join(t.TempDir(), "model.safetensors")
	if err := hub.Convert(t.Context(), file(t, "pytorch_model.bin", hubtest.Checkpoint()), dest, nothing); err != nil {
		t.Fatal(err)
	}
	s := readSafetensors(t, dest)
	if len(s.header) != 21 {
		t.Errorf("%d tensors, want 21", len(s.header))
	}
	for _, tt := range []struct {
		name, dtype   string
		rows, columns int
		sum, at01     float64
		at10          float64
	}{
		{"lm_head.weight", "F16", 260, 64, 8.898136, 0.049469, 0.016663},
		{"model.embed_tokens.weight", "F16", 260, 64, 8.898136, 0.049469, 0.016663},
		{"model.layers.0.self_attn.k_proj.weight", "F16", 64, 64, -17.718253, 0.078186, -0.183594},
		{"model.layers.0.self_attn.v_proj.weight", "BF16", 64, 64, -6.754707, -0.021362, -0.013855},
		{"model.norm.weight", "F32", 64, 1, 64, 1, 1},
	} {
		v := s.values(tt.name)
		if s.header[tt.name].DType != tt.dtype || len(v) != tt.rows*tt.columns {
			t.Errorf("%s: %d numbers of %s, want %d of %s", tt.name, len(v), s.header[tt.name].DType, tt.rows*tt.columns, tt.dtype)
			continue
		}
		sum := 0.0
		for _, x := range v {
			sum += x
		}
		for what, d := range map[string]float64{"sum": sum - tt.sum, "[0,1]": v[1] - tt.at01, "[1,0]": v[tt.columns] - tt.at10} {
			if math.Abs(d) > 1e-6 {
				t.Errorf("%s: %s is off by %g", tt.name, what, d)
			}
		}
	}
	if _, there := s.header["model.layers.0.self_attn.rotary_emb.inv_freq"]; there {
		t.Error("the rotary frequencies are still there")
	}
}

// changed is the checkpoint with its pickle or another record changed.
func changed(t testing.TB, change func(name string, content []byte) []byte) []byte {
	t.Helper()
	old := hubtest.Checkpoint()
	r, err := zip.NewReader(bytes.NewReader(old), int64(len(old)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if content = change(strings.TrimPrefix(f.Name, "pytorch_model/"), content); content == nil {
			continue
		}
		to, err := w.CreateHeader(&zip.FileHeader{Name: f.Name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := to.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// withPickle replaces the checkpoint's pickle.
func withPickle(t testing.TB, p string) []byte {
	return changed(t, func(name string, content []byte) []byte {
		if name == "data.pkl" {
			return []byte(p)
		}
		return content
	})
}

func replaced(t testing.TB, from, to string) []byte {
	return changed(t, func(name string, content []byte) []byte {
		if name == "data.pkl" {
			return bytes.ReplaceAll(content, []byte(from), []byte(to))
		}
		return content
	})
}

func TestConvertRefuses(t *testing.T) {
	drop := func(record string, content []byte) []byte {
		return changed(t, func(name string, old []byte) []byte {
			if name == record {
				return content
			}
			return old
		})
	}
	tests := []struct {
		name    string
		content []byte
		want    string
	}{
		{"code", withPickle(t, "\x80\x02cposix\nsystem\nX\x08\x00\x00\x00touch xx\x85R."), "class posix.system"},
		{"other class", replaced(t, "ctorch._utils\n_rebuild_tensor_v2\n", "cbuiltins\neval\n"), "class builtins.eval"},
		{"doubles", replaced(t, "ctorch\nHalfStorage\n", "ctorch\nDoubleStorage\n"), "torch.DoubleStorage"},
		{"too few numbers", drop("data/0", []byte("few")), "too few for 16640 numbers of F16"},
		{"storage missing", drop("data/0", nil), `storage "0" is missing`},
		{"no pickle", drop("data.pkl", nil), "no data.pkl"},
		{"cut pickle", withPickle(t, "\x80\x02}q"), "cut off"},
		{"no stop", withPickle(t, "\x80\x02}"), "cut off"},
		{"huge text", withPickle(t, "\x80\x02X\xff\xff\xff\xff."), "cut off"},
		{"huge frame", withPickle(t, "\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f."), "opcode 0x95"},
		{"no dictionary", withPickle(t, "\x80\x02K\x01."), "no dictionary of tensors"},
		{"empty dictionary", withPickle(t, "\x80\x02}."), "no tensors"},
		{"number as entry", withPickle(t, "\x80\x02}X\x01\x00\x00\x00wK\x01s."), `entry "w" is not a tensor`},
		{"many names for one storage", withPickle(t, "\x80\x02}"+many(tensorPickle("J\x00\x41\x00\x00\x85K\x01\x85"))+"."), "bytes of tensors from"},
		{"past the storage", withPickle(t, "\x80\x02}X\x01\x00\x00\x00w"+tensorPickle("J\x00\x00\x01\x00\x85K\x01\x85")+"s."), "reaches past its storage"},
		{"long name", withPickle(t, "\x80\x02}X\x88\x13\x00\x00"+strings.Repeat("w", 5000)+"K\x01s."), "a text of 5004 bytes"},
		{"texts repeated without end", withPickle(t, "\x80\x02](X\xa0\x0f\x00\x00"+strings.Repeat("w", 4000)+"q\x00"+strings.Repeat("h\x00", 20_000)+"e)R."), "with all repetitions"},
		{"texts called as a function", withPickle(t, "\x80\x02(X\xa0\x0f\x00\x00"+strings.Repeat("w", 4000)+"q\x00"+strings.Repeat("h\x00", 2000)+"t)R."), "REDUCE"},
		{"dictionary that is its own key", withPickle(t, "\x80\x02}q\x00h\x00K\x01s."), "a key of its dictionary is not a text"},
		{"key of nested pairs", withPickle(t, "\x80\x02}"+pairs(60)+"K\x01s."), "a key of its dictionary is not a text"},
		{"empty stack", withPickle(t, "\x80\x02R."), "stack"},
		{"legacy", []byte("\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."), "PyTorch before 1.6"},
		{"cut archive", hubtest.Checkpoint()[:100_000], "not a ZIP archive"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			err := hub.Convert(t.Context(), file(t, "pytorch_model.bin", tt.content), filepath.Join(dir, "out"), nothing)
			wantFault(t, err, tt.want, "safetensors or GGUF")
			if got := cached(t, dir); got != "" {
				t.Errorf("left behind: %s", got)
			}
		})
	}
}

// pairs is a pickle of a pair of twice the same pair of twice the same, and so
// on: 2^depth numbers to whoever prints it.
func pairs(depth int) string { return "K\x01" + strings.Repeat("q\x01h\x01\x86", depth) }

// tensorPickle is a pickle of a tensor of that shape and stride in storage 0.
func tensorPickle(view string) string {
	return "ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nHalfStorage\n" +
		"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuM\x00\x41tQK\x00" + view + "\x89N" + "tR"
}

// many gives a value ten names.
func many(value string) string {
	var b strings.Builder
	for i := range 10 {
		b.WriteString("X\x01\x00\x00\x00" + string(rune('a'+i)) + value + "s")
	}
	return b.String()
}

// TestConvertEmpty converts a tensor without elements at once, however long
// its other sides.
func TestConvertEmpty(t *testing.T) {
	bin := withPickle(t, "\x80\x02}X\x01\x00\x00\x00w"+tensorPickle("J\xff\xff\xff\x7fK\x00\x86K\x07K\x07\x86")+"s.")
	dest := filepath.Join(t.TempDir(), "out")
	if err := hub.Convert(t.Context(), file(t, "pytorch_model.bin", bin), dest, nothing); err != nil {
		t.Fatal(err)
	}
	if s := readSafetensors(t, dest); len(s.values("w")) != 0 || len(s.header["w"].Shape) != 2 {
		t.Errorf("the tensor became %+v", s.header["w"])
	}
}

func TestConvertInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	err := hub.Convert(ctx, file(t, "pytorch_model.bin", hubtest.Checkpoint()), filepath.Join(dir, "out"), func(int64, int64) { cancel() })
	if !errors.Is(err, context.Canceled) || cached(t, dir) != "" {
		t.Errorf("%v, left behind: %q", err, cached(t, dir))
	}
}

// TestGetConverts turns a checkpoint, whole or in parts, into safetensors once.
func TestGetConverts(t *testing.T) {
	for weights, want := range map[string]string{
		"pytorch_model.bin":                "model.safetensors",
		"pytorch_model-00001-of-00001.bin": "model-00001-of-00001.safetensors",
	} {
		files := hubtest.Settings()
		files[weights] = hubtest.Checkpoint()
		_, c, cache := fixture(t, files)
		for range 2 {
			m, err := c.Get(t.Context(), ref, quiet)
			if err != nil {
				t.Fatal(err)
			}
			if m.Files[0].Name != want || strings.Contains(cached(t, cache), "converting") {
				t.Errorf("%s became %s; the cache holds %s", weights, m.Files[0].Name, cached(t, cache))
			}
		}
	}
}

func TestLocal(t *testing.T) {
	c := client(t, hub.Config{Cache: t.TempDir()})
	dir := t.TempDir()
	write := func(files map[string][]byte) {
		for name, content := range files {
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, err := c.Local(t.Context(), dir, quiet)
	wantFault(t, err, "no model.safetensors", "name a folder")
	write(map[string][]byte{"pytorch_model.bin": hubtest.Checkpoint(), "own.gguf": []byte("GGUF...")})
	_, err = c.Local(t.Context(), dir, quiet)
	wantFault(t, err, "no config.json", "name a folder")
	write(map[string][]byte{"config.json": hubtest.Settings()["config.json"]})
	_, err = c.Local(t.Context(), dir, quiet)
	wantFault(t, err, "neither tokenizer.json nor tokenizer.model", "name a folder")
	write(hubtest.TinyLLaMA())
	m, err := c.Local(t.Context(), dir, quiet)
	if got, want := names(m), "model.safetensors config.json tokenizer.json tokenizer_config.json"; err != nil || got != want {
		t.Errorf("Local: %s, %v; want %s", got, err, want)
	}
	write(map[string][]byte{"config.json": []byte("{")})
	_, err = c.Local(t.Context(), dir, quiet)
	wantFault(t, err, "config.json", "damaged")
	half := hubtest.TinyLLaMA()["model.safetensors"]
	write(map[string][]byte{"model.safetensors": half[:len(half)/2]})
	_, err = c.Local(t.Context(), dir, quiet)
	wantFault(t, err, "not a whole safetensors file", "get the file again")
}

func TestLocalGGUF(t *testing.T) {
	c := client(t, hub.Config{Cache: t.TempDir()})
	m, err := c.Local(t.Context(), file(t, "own.gguf", []byte("GGUF and so on")), quiet)
	if err != nil || names(m) != "model.gguf" || m.Positions != 0 {
		t.Errorf("Local: %+v, %v", m, err)
	}
	_, err = c.Local(t.Context(), file(t, "own.gguf", []byte("<html>")), quiet)
	wantFault(t, err, `not a GGUF file: it starts with "<htm"`, "name a GGUF file")
	_, err = c.Local(t.Context(), file(t, "own.bin", []byte("GGUF")), quiet)
	wantFault(t, err, "neither a folder nor a .gguf file", "name the folder")
	_, err = c.Local(t.Context(), filepath.Join(t.TempDir(), "none"), quiet)
	wantFault(t, err, "none", "relative to the models file")
}

// TestChoice looks at repositories of other make-up.
func TestChoice(t *testing.T) {
	weights := hubtest.TinyLLaMA()["model.safetensors"]
	none := []byte("\x02\x00\x00\x00\x00\x00\x00\x00{}") // a file of no tensors
	tests := []struct {
		add   []string
		names string // or what the error says
	}{
		{[]string{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json", "pytorch_model.bin"},
			"model-00001-of-00002.safetensors model-00002-of-00002.safetensors config.json tokenizer.json tokenizer_config.json"},
		{[]string{"model-00001-of-00002.safetensors"}, "model-00002-of-00002.safetensors is missing"},
		{[]string{"model-00001-of-00002.safetensors", "model-00002-of-00003.safetensors"}, "of 2 and of 3 parts"},
		{[]string{"q4.gguf", "q8.gguf"}, "there are 2 GGUF files"},
		{[]string{"../../up.safetensors", "/etc/model.safetensors", "onnx/model.onnx"}, "no model.safetensors"},
	}
	for _, tt := range tests {
		files := hubtest.Settings()
		for i, name := range tt.add {
			files[name] = none
			if i == 0 {
				files[name] = weights
			}
		}
		_, c, _ := fixture(t, files)
		m, err := c.Get(t.Context(), ref, quiet)
		if got := names(m); got != tt.names && (err == nil || !strings.Contains(err.Error(), tt.names)) {
			t.Errorf("%v: got %s, %v; want %s", tt.add, got, err, tt.names)
		}
	}
}
