package hubtest

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/ollama/ollama/convert/sentencepiece"
	"github.com/x448/float16"
	"google.golang.org/protobuf/proto"
)

// Model is a LLaMA as Hugging Face's library has it in memory.
type Model struct {
	Hidden, Intermediate, Layers, Heads, KVHeads, Positions int

	Weights map[string][]float32 // by Hugging Face's names, q and k in its layout
	Pieces  []Piece              // of tokenizer.model
	Merges  []string             // of tokenizer.json, a byte-level BPE, in place of Pieces
	Space   bool                 // tokenizer.model puts a space before a text
}

// Piece is a token of tokenizer.model.
type Piece struct {
	Text  string
	Score float32
	Type  int32 // as SentencePiece and GGUF number them
}

// Shape gives the rows and columns of a tensor; a vector has no columns.
func (m Model) Shape(name string) []int {
	kv := m.Hidden / m.Heads * m.KVHeads
	part := strings.TrimSuffix(name, ".weight")
	switch part[strings.LastIndex(part, ".")+1:] {
	case "embed_tokens", "lm_head":
		return []int{len(m.Weights[name]) / m.Hidden, m.Hidden}
	case "q_proj", "o_proj":
		return []int{m.Hidden, m.Hidden}
	case "k_proj", "v_proj":
		return []int{kv, m.Hidden}
	case "gate_proj", "up_proj":
		return []int{m.Intermediate, m.Hidden}
	case "down_proj":
		return []int{m.Hidden, m.Intermediate}
	}
	return []int{len(m.Weights[name])}
}

// Random is a model of that shape with random weights: it knows nothing. Its
// vocabulary is SentencePiece's kind, of at least 400 pieces.
func Random(m Model, vocabulary int, seed uint64) Model {
	m.Pieces = pieces(vocabulary)
	m.fill(len(m.Pieces), seed)
	// A byte alone is no text: it seldom wins.
	scale(m.Weights["lm_head.weight"][3*m.Hidden:259*m.Hidden], 0.1)
	return m
}

// RandomBytes is the same with a byte-level BPE, as GPT-2 has it, of at most
// 600 merges.
func RandomBytes(m Model, merges int, seed uint64) Model {
	m.Merges = []string{}
	for _, a := range []string{"Ġ", "e", "t", "a", "o", "i", "n", "s", "r", "h"} {
		for _, b := range "etaoinshrdlucmfwypvbgkjqxzETAOINSHRDLUCMFWYPVBGKJQXZ012345678" {
			if len(m.Merges) < merges {
				m.Merges = append(m.Merges, a+" "+string(b))
			}
		}
	}
	m.fill(257+len(m.Merges), seed)
	scale(m.Weights["lm_head.weight"][:256*m.Hidden], 0.1)
	return m
}

func scale(w []float32, by float32) {
	for i := range w {
		w[i] *= by
	}
}

// fill draws the weights.
func (m *Model) fill(vocabulary int, seed uint64) {
	m.Weights = make(map[string][]float32)
	random := rand.New(rand.NewPCG(seed, 7))
	matrix := func(name string, rows, columns int) {
		w := make([]float32, rows*columns)
		for i := range w {
			w[i] = float32(random.NormFloat64() / math.Sqrt(float64(columns)))
		}
		m.Weights[name] = w
	}
	norm := func(name string) {
		w := make([]float32, m.Hidden)
		for i := range w {
			w[i] = float32(1 + 0.1*random.NormFloat64())
		}
		m.Weights[name] = w
	}
	kv := m.Hidden / m.Heads * m.KVHeads
	matrix("model.embed_tokens.weight", vocabulary, m.Hidden)
	for i := range m.Layers {
		at := fmt.Sprintf("model.layers.%d.", i)
		norm(at + "input_layernorm.weight")
		norm(at + "post_attention_layernorm.weight")
		matrix(at+"self_attn.q_proj.weight", m.Hidden, m.Hidden)
		matrix(at+"self_attn.k_proj.weight", kv, m.Hidden)
		matrix(at+"self_attn.v_proj.weight", kv, m.Hidden)
		matrix(at+"self_attn.o_proj.weight", m.Hidden, m.Hidden)
		matrix(at+"mlp.gate_proj.weight", m.Intermediate, m.Hidden)
		matrix(at+"mlp.up_proj.weight", m.Intermediate, m.Hidden)
		matrix(at+"mlp.down_proj.weight", m.Hidden, m.Intermediate)
	}
	norm("model.norm.weight")
	matrix("lm_head.weight", vocabulary, m.Hidden)
}

// pieces are three markers, 256 bytes, letters, and pairs and triples of them.
func pieces(n int) []Piece {
	out := []Piece{{"<unk>", 0, 2}, {"<s>", 0, 3}, {"</s>", 0, 3}}
	for b := range 256 {
		out = append(out, Piece{fmt.Sprintf("<0x%02X>", b), 0, 6})
	}
	const letters = "▁etaoinshrdlucmfwypvbgkjqxzETAOINSHRDLUCMFWYPVBGKJQXZ0123456789.,'-"
	for _, r := range letters {
		out = append(out, Piece{string(r), float32(259 - len(out)), 1})
	}
	for _, a := range []string{"▁", "e", "a", "o", "i", "t", "n", "s"} {
		for _, b := range letters[len("▁"):] {
			out = append(out, Piece{a + string(b), float32(259 - len(out)), 1})
		}
	}
	for _, c := range "aeiou" {
		for _, p := range slices.Clone(out[330:]) {
			out = append(out, Piece{p.Text + string(c), float32(259 - len(out)), 1})
		}
	}
	seen, unique := make(map[string]bool), out[:0]
	for _, p := range out {
		if !seen[p.Text] {
			unique = append(unique, p)
		}
		seen[p.Text] = true
	}
	return unique[:min(n, len(unique))]
}

// Options say how a model is saved.
type Options struct {
	DType  string // F32, F16 or BF16; empty: F32
	Shards int    // files of safetensors, with an index; 0: one
	Tied   bool   // without the head, which is the embedding
	Meta   bool   // q and k in Meta's layout, as a conversion without permutation leaves them
	Config map[string]any
	// Tokenizer's configuration, over what Files writes.
	Tokenizer map[string]any
}

// Files saves the model as a folder: config.json, safetensors, and
// tokenizer.model with its two files of settings, or tokenizer.json.
func (m Model) Files(o Options) map[string][]byte {
	if o.DType == "" {
		o.DType = "F32"
	}
	torch := map[string]string{"F32": "float32", "F16": "float16", "BF16": "bfloat16"}[o.DType]
	vocabulary := len(m.Weights["model.embed_tokens.weight"]) / m.Hidden
	config := map[string]any{
		"architectures": []string{"LlamaForCausalLM"}, "model_type": "llama", "torch_dtype": torch, "hidden_act": "silu",
		"hidden_size": m.Hidden, "intermediate_size": m.Intermediate, "num_hidden_layers": m.Layers, "num_attention_heads": m.Heads,
		"num_key_value_heads": m.KVHeads, "vocab_size": vocabulary, "max_position_embeddings": m.Positions, "rms_norm_eps": 1e-5,
		"rope_theta": 10000.0, "bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": o.Tied,
	}
	settings := map[string]any{"tokenizer_class": "LlamaTokenizer", "add_bos_token": true, "add_eos_token": false, "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "legacy": true}
	files := make(map[string][]byte)
	if m.Merges != nil {
		settings = map[string]any{"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|end|>", "eos_token": "<|end|>"}
		config["bos_token_id"], config["eos_token_id"] = vocabulary-1, vocabulary-1
		files["tokenizer.json"] = tokenizer(m.Merges...)
	} else {
		files["tokenizer.model"] = m.sentencePiece()
		files["special_tokens_map.json"] = marshal(map[string]any{"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"})
	}
	maps.Copy(config, o.Config)
	maps.Copy(settings, o.Tokenizer)
	files["config.json"], files["tokenizer_config.json"] = marshal(config), marshal(settings)
	maps.Copy(files, m.save(o))
	return files
}

// sentencePiece is tokenizer.model.
func (m Model) sentencePiece() []byte {
	p := &sentencepiece.ModelProto{
		TrainerSpec:    &sentencepiece.TrainerSpec{ModelType: sentencepiece.TrainerSpec_BPE.Enum(), VocabSize: proto.Int32(int32(len(m.Pieces))), ByteFallback: proto.Bool(true)},
		NormalizerSpec: &sentencepiece.NormalizerSpec{Name: proto.String("identity"), AddDummyPrefix: proto.Bool(m.Space), RemoveExtraWhitespaces: proto.Bool(false)},
	}
	for _, piece := range m.Pieces {
		p.Pieces = append(p.Pieces, &sentencepiece.ModelProto_SentencePiece{Piece: proto.String(piece.Text), Score: proto.Float32(piece.Score),
			Type: sentencepiece.ModelProto_SentencePiece_Type(piece.Type).Enum()})
	}
	raw, err := proto.Marshal(p)
	if err != nil {
		panic(err) // the values are this file's
	}
	return raw
}

// save writes the tensors as safetensors.
func (m Model) save(o Options) map[string][]byte {
	names := slices.Sorted(maps.Keys(m.Weights))
	if o.Tied {
		names = slices.DeleteFunc(names, func(n string) bool { return n == "lm_head.weight" })
	}
	shards := max(1, o.Shards)
	files, index := make(map[string][]byte), make(map[string]string)
	for i := range shards {
		file := "model.safetensors"
		if o.Shards > 0 {
			file = fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, shards)
		}
		header, data := make(map[string]any), []byte(nil)
		for _, name := range names[i*len(names)/shards : (i+1)*len(names)/shards] {
			from := len(data)
			data = encode(data, o.DType, m.layout(name, o.Meta))
			header[name] = map[string]any{"dtype": o.DType, "shape": m.Shape(name), "data_offsets": []int{from, len(data)}}
			index[name] = file
		}
		text := marshal(header)
		files[file] = slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text, data)
	}
	if o.Shards > 0 {
		files["model.safetensors.index.json"] = marshal(map[string]any{"weight_map": index})
	}
	return files
}

// layout is a tensor's numbers, q's and k's in Meta's layout where meta is set.
func (m Model) layout(name string, meta bool) []float32 {
	w := m.Weights[name]
	isQ, isK := strings.HasSuffix(name, "q_proj.weight"), strings.HasSuffix(name, "k_proj.weight")
	if !meta || !isQ && !isK {
		return w
	}
	out := make([]float32, 0, len(w))
	size := m.Hidden / m.Heads
	for head := 0; head < len(w)/m.Hidden; head += size {
		for i := range size {
			row := head + i%2*(size/2) + i/2
			out = append(out, w[row*m.Hidden:(row+1)*m.Hidden]...)
		}
	}
	return out
}

func encode(out []byte, dtype string, w []float32) []byte {
	for _, v := range w {
		switch dtype {
		case "F16":
			out = binary.LittleEndian.AppendUint16(out, float16.Fromfloat32(v).Bits())
		case "BF16":
			out = binary.LittleEndian.AppendUint16(out, uint16((math.Float32bits(v)+0x8000)>>16))
		default:
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
		}
	}
	return out
}

// Clone is a copy whose weights can be changed.
func (m Model) Clone() Model {
	w := make(map[string][]float32, len(m.Weights))
	for name, v := range m.Weights {
		w[name] = slices.Clone(v)
	}
	m.Weights = w
	m.Pieces = slices.Clone(m.Pieces)
	return m
}

// Edited is a JSON file with some keys changed; nil takes one out.
func Edited(file []byte, changes map[string]any) []byte {
	var m map[string]any
	if err := json.Unmarshal(file, &m); err != nil {
		panic(err) // a file of this package
	}
	for key, v := range changes {
		if m[key] = v; v == nil {
			delete(m, key)
		}
	}
	return marshal(m)
}
