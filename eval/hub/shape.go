package hub

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
)

// architecture is the one that is converted and examined in full here.
const architecture = "LlamaForCausalLM"

const maxLayers = 4096

// Shape is a model's config.json as far as a LLaMA's shape goes, each number
// within bounds.
type Shape struct {
	Architecture string // as stated, such as LlamaForCausalLM; empty: not stated
	Hidden       int    // numbers a token
	Intermediate int
	Layers       int
	Heads        int
	KVHeads      int
	HeadDim      int
	Vocab        int // rows of the embedding
	Positions    int // 0: not stated
	Eps          float64
	Theta        float64 // base of the rotary frequencies
	Scaling      Scaling
	Tied         bool   // the output is the embedding
	Biases       bool   // attention or feed-forward has biases
	DType        string // F32, F16, BF16 or as stated; empty: not stated
	ids          map[string]int
}

// Scaling stretches the rotary positions; Kind is empty where nothing does.
type Scaling struct {
	Kind      string  // linear, llama3, yarn, or what else is stated
	Factor    float64 // by how much
	Low, High float64 // llama3: factors of the lowest and highest frequencies
	Original  int     // positions that the model was trained with first; 0: not stated
}

// statedConfig is config.json as writers of several years have it.
type statedConfig struct {
	Architectures []string        `json:"architectures"`
	Hidden        *float64        `json:"hidden_size"`
	Intermediate  *float64        `json:"intermediate_size"`
	Layers        *float64        `json:"num_hidden_layers"`
	Heads         *float64        `json:"num_attention_heads"`
	KVHeads       *float64        `json:"num_key_value_heads"`
	HeadDim       *float64        `json:"head_dim"`
	Vocab         *float64        `json:"vocab_size"`
	Positions     *float64        `json:"max_position_embeddings"`
	Eps           *float64        `json:"rms_norm_eps"`
	Theta         *float64        `json:"rope_theta"`
	Scaling       *statedScaling  `json:"rope_scaling"`
	Rope          *statedScaling  `json:"rope_parameters"` // both in one, since transformers 5
	Tied          bool            `json:"tie_word_embeddings"`
	AttentionBias bool            `json:"attention_bias"`
	MLPBias       bool            `json:"mlp_bias"`
	TorchDType    string          `json:"torch_dtype"`
	DType         string          `json:"dtype"` // since transformers 5
	BOS           json.RawMessage `json:"bos_token_id"`
	EOS           json.RawMessage `json:"eos_token_id"`
	PAD           json.RawMessage `json:"pad_token_id"`
}

type statedScaling struct {
	Theta    *float64 `json:"rope_theta"`
	Type     string   `json:"type"`
	RopeType string   `json:"rope_type"`
	Factor   float64  `json:"factor"`
	Low      float64  `json:"low_freq_factor"`
	High     float64  `json:"high_freq_factor"`
	Original float64  `json:"original_max_position_embeddings"`
}

// kindNames are JSON's names of the kinds of statedConfig.
var kindNames = map[reflect.Kind]string{reflect.Float64: "number", reflect.Bool: "boolean", reflect.String: "string", reflect.Slice: "list", reflect.Struct: "object", reflect.Map: "object"}

// readShape reads config.json. A second error, joined of all that is wrong, is
// of numbers that no LLaMA has; what could be read is there all the same.
func readShape(text []byte) (c Shape, unusual, err error) {
	var s statedConfig
	if err := json.Unmarshal(text, &s); err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) && kind.Field != "" {
			err = fmt.Errorf("%s is a %s, not a %s", kind.Field, kind.Value, kindNames[kind.Type.Kind()])
		}
		return Shape{}, nil, err
	}
	if len(s.Architectures) > 0 {
		c.Architecture = s.Architectures[0]
	}
	var wrong []error
	number := func(name string, stated *float64, fallback, high int) int {
		switch {
		case stated == nil && fallback >= 0:
			return fallback
		case stated == nil:
			wrong = append(wrong, fmt.Errorf("%s is not stated", name))
			return 0
		case *stated < 1 || *stated > float64(high) || *stated != math.Trunc(*stated):
			wrong = append(wrong, fmt.Errorf("%s is %v, not a whole number from 1 to %d", name, *stated, high))
			return 0
		}
		return int(*stated)
	}
	c.Hidden = number("hidden_size", s.Hidden, -1, 1<<17)
	c.Intermediate = number("intermediate_size", s.Intermediate, -1, 1<<20)
	c.Layers = number("num_hidden_layers", s.Layers, -1, maxLayers)
	c.Heads = number("num_attention_heads", s.Heads, -1, 1<<12)
	c.KVHeads = number("num_key_value_heads", s.KVHeads, c.Heads, 1<<12)
	c.HeadDim = number("head_dim", s.HeadDim, c.Hidden/max(c.Heads, 1), 1<<12)
	c.Vocab = number("vocab_size", s.Vocab, -1, 1<<24)
	c.Positions = number("max_position_embeddings", s.Positions, 0, 1<<24)
	if c.Heads > 0 && c.KVHeads > 0 && (c.Heads%c.KVHeads != 0 || c.HeadDim%2 != 0) {
		wrong = append(wrong, fmt.Errorf("%d heads over %d of keys, each of %d numbers: heads must divide, and their size be even", c.Heads, c.KVHeads, c.HeadDim))
	}
	c.Eps, c.Theta = or(s.Eps, 1e-6), or(s.Theta, 10000)
	c.Tied, c.Biases, c.DType = s.Tied, s.AttentionBias || s.MLPBias, typeName(s.DType+s.TorchDType)
	c.scale(s)
	c.ids = map[string]int{"bos": firstID(s.BOS), "eos": firstID(s.EOS), "pad": firstID(s.PAD)}
	return c, errors.Join(wrong...), nil
}

func or(stated *float64, fallback float64) float64 {
	if stated == nil {
		return fallback
	}
	return *stated
}

func (c *Shape) scale(s statedConfig) {
	for _, from := range []*statedScaling{s.Scaling, s.Rope} {
		if from == nil {
			continue
		}
		c.Theta = or(from.Theta, c.Theta)
		kind := from.RopeType
		if kind == "" {
			kind = from.Type
		}
		if kind != "" && kind != "default" {
			c.Scaling = Scaling{Kind: kind, Factor: from.Factor, Low: from.Low, High: from.High, Original: int(min(max(from.Original, 0), 1<<24))}
		}
	}
}

// typeName is safetensors' name of a type that torch names.
func typeName(torch string) string {
	switch torch = strings.TrimPrefix(torch, "torch."); torch {
	case "float32", "float":
		return "F32"
	case "float16", "half":
		return "F16"
	case "bfloat16":
		return "BF16"
	}
	return torch
}

// firstID reads a token's id, or the first of several; -1 where there is none.
func firstID(raw json.RawMessage) int {
	ids := allIDs(raw)
	if len(ids) == 0 {
		return -1
	}
	return ids[0]
}

func allIDs(raw json.RawMessage) []int {
	raw = bytes.TrimSpace(raw)
	if len(raw) > 0 && raw[0] != '[' {
		raw = append(append([]byte{'['}, raw...), ']')
	}
	var ids []*int
	if json.Unmarshal(raw, &ids) != nil {
		return nil
	}
	var out []int
	for _, id := range ids {
		if id != nil {
			out = append(out, *id)
		}
	}
	return out
}

// shapes lists the tensors that a LLaMA of this shape has, by GGUF's names: a
// matrix's rows, then its columns. It is empty where the shape is not known.
func (c Shape) shapes() map[string][]int {
	if slices.Min([]int{c.Hidden, c.Intermediate, c.Layers, c.Heads, c.KVHeads, c.HeadDim, c.Vocab}) < 1 || c.Layers > maxLayers {
		return nil
	}
	q, kv := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	out := map[string][]int{"token_embd.weight": {c.Vocab, c.Hidden}, "output_norm.weight": {c.Hidden}, "output.weight": {c.Vocab, c.Hidden}}
	for i := range c.Layers {
		for name, shape := range map[string][]int{
			"attn_norm": {c.Hidden}, "ffn_norm": {c.Hidden},
			"attn_q": {q, c.Hidden}, "attn_k": {kv, c.Hidden}, "attn_v": {kv, c.Hidden}, "attn_output": {c.Hidden, q},
			"ffn_gate": {c.Intermediate, c.Hidden}, "ffn_up": {c.Intermediate, c.Hidden}, "ffn_down": {c.Hidden, c.Intermediate},
		} {
			out[fmt.Sprintf("blk.%d.%s.weight", i, name)] = shape
		}
	}
	return out
}

// parts pairs the names of a layer's tensors: Hugging Face's and GGUF's.
var parts = []struct{ hf, gguf string }{
	{"input_layernorm", "attn_norm"}, {"post_attention_layernorm", "ffn_norm"},
	{"self_attn.q_proj", "attn_q"}, {"self_attn.k_proj", "attn_k"}, {"self_attn.v_proj", "attn_v"}, {"self_attn.o_proj", "attn_output"},
	{"mlp.gate_proj", "ffn_gate"}, {"mlp.up_proj", "ffn_up"}, {"mlp.down_proj", "ffn_down"},
}

// ggufName is GGUF's name for a tensor of a Hugging Face LLaMA; empty where it
// has none.
func ggufName(name string) string {
	switch name {
	case "model.embed_tokens.weight":
		return "token_embd.weight"
	case "model.norm.weight":
		return "output_norm.weight"
	case "lm_head.weight":
		return "output.weight"
	}
	rest, ok := strings.CutPrefix(name, "model.layers.")
	layer, part, found := strings.Cut(rest, ".")
	if !ok || !found {
		return ""
	}
	for _, p := range parts {
		for _, kind := range []string{".weight", ".bias"} {
			if part == p.hf+kind {
				return "blk." + layer + "." + p.gguf + kind
			}
		}
	}
	return ""
}

// hfName is the inverse of ggufName.
func hfName(name string) string {
	switch name {
	case "token_embd.weight":
		return "model.embed_tokens.weight"
	case "output_norm.weight":
		return "model.norm.weight"
	case "output.weight":
		return "lm_head.weight"
	}
	fields := strings.SplitN(name, ".", 4)
	if len(fields) != 4 {
		return ""
	}
	for _, p := range parts {
		if fields[2] == p.gguf {
			return "model.layers." + fields[1] + "." + p.hf + "." + fields[3]
		}
	}
	return ""
}
