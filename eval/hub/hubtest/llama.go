package hubtest

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
)

// Positions is the context length of the tiny LLaMA.
const Positions = 128

const (
	width  = 64
	layers = 2
	vocab  = 260 // 256 bytes, three merges, one special token
)

// checkpoint is the output of testdata/checkpoint.py.
//
//go:embed testdata/pytorch_model.bin
var checkpoint []byte

// Checkpoint is a PyTorch checkpoint of the tiny LLaMA's shape.
func Checkpoint() []byte { return bytes.Clone(checkpoint) }

// TinyLLaMA is a repository of a LLaMA of two layers of 64 with random weights
// in safetensors: always the same bytes.
func TinyLLaMA() map[string][]byte {
	files := Settings()
	files["model.safetensors"] = weights(false)
	return files
}

// EarlyLLaMA is the tiny LLaMA as early writers stored it: with rotary
// frequencies beside the weights.
func EarlyLLaMA() map[string][]byte {
	files := Settings()
	files["model.safetensors"] = weights(true)
	return files
}

// Settings are the files of the tiny LLaMA without its weights.
func Settings() map[string][]byte {
	return map[string][]byte{
		"README.md": []byte("# A tiny LLaMA that knows nothing\n"),
		"config.json": marshal(map[string]any{
			"architectures": []string{"LlamaForCausalLM"}, "model_type": "llama", "torch_dtype": "float16",
			"hidden_size": width, "intermediate_size": width, "num_hidden_layers": layers, "num_attention_heads": 2,
			"num_key_value_heads": 2, "vocab_size": vocab, "max_position_embeddings": Positions, "rms_norm_eps": 1e-5,
			"rope_theta": 10000.0, "bos_token_id": vocab - 1, "eos_token_id": vocab - 1, "tie_word_embeddings": false,
		}),
		"tokenizer.json":        tokenizer("t h", "th e", "Ġ the"),
		"tokenizer_config.json": marshal(map[string]any{"bos_token": "<|end|>", "eos_token": "<|end|>", "add_bos_token": false, "tokenizer_class": "GPT2Tokenizer"}),
	}
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // the values are literals of this file
	}
	return b
}

// tokenizer is a byte-level BPE: every byte as the printable character that
// GPT-2 gives it, the merges, and one special token behind them.
func tokenizer(merges ...string) []byte {
	ids := make(map[string]int)
	next := rune(256)
	for b := range 256 {
		r := rune(b)
		if !(b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae && b <= 0xff) {
			r, next = next, next+1
		}
		ids[string(r)] = b
	}
	for i, merge := range merges {
		ids[strings.ReplaceAll(merge, " ", "")] = 256 + i
	}
	return marshal(map[string]any{
		"version":       "1.0",
		"added_tokens":  []map[string]any{{"id": 256 + len(merges), "content": "<|end|>", "special": true}},
		"pre_tokenizer": map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
		"decoder":       map[string]any{"type": "ByteLevel"},
		"model":         map[string]any{"type": "BPE", "vocab": ids, "merges": merges},
	})
}

// weights is a safetensors file of random F32 numbers.
func weights(rotary bool) []byte {
	header := make(map[string]any)
	var data []byte
	random := rand.New(rand.NewPCG(1, 2))
	add := func(name string, shape ...int) {
		from := len(data)
		count, deviation := 1, 1/math.Sqrt(float64(shape[len(shape)-1]))
		for _, n := range shape {
			count *= n
		}
		for range count {
			w := 1.0 // a norm that changes nothing
			if len(shape) > 1 {
				w = deviation * random.NormFloat64()
			}
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(w)))
		}
		header[name] = map[string]any{"dtype": "F32", "shape": shape, "data_offsets": []int{from, len(data)}}
	}
	add("model.embed_tokens.weight", vocab, width)
	for i := range layers {
		for _, name := range []string{"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"} {
			add(fmt.Sprintf("model.layers.%d.%s.weight", i, name), width, width)
		}
		add(fmt.Sprintf("model.layers.%d.input_layernorm.weight", i), width)
		add(fmt.Sprintf("model.layers.%d.post_attention_layernorm.weight", i), width)
		if rotary {
			add(fmt.Sprintf("model.layers.%d.self_attn.rotary_emb.inv_freq", i), width/4)
		}
	}
	add("model.norm.weight", width)
	add("lm_head.weight", vocab, width)
	text := marshal(header)
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	return append(append(out, text...), data...)
}
