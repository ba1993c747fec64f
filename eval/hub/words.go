package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ollama/ollama/convert/sentencepiece"
	"google.golang.org/protobuf/proto"
)

// GGUF's token types.
const (
	tokenNormal  = 1
	tokenUnknown = 2
	tokenControl = 3
	tokenUser    = 4
	tokenUnused  = 5
	tokenByte    = 6
)

// words is a tokenizer told as GGUF tells one.
type words struct {
	model  string // llama: SentencePiece's pairs by score; gpt2: byte-level pairs by rank
	pre    string // gpt2: how text is cut first, as llama.cpp names it
	tokens []string
	scores []float32
	types  []int32
	merges []string
	ids    map[string]int // bos, eos, unk, pad: the token; absent where there is none
	ends   []int          // further tokens that end a reply
	addBOS bool
	addEOS bool
	space  bool // a space is put before a text
	chat   string
}

// tokenizerConfig is tokenizer_config.json.
type tokenizerConfig struct {
	Class    string          `json:"tokenizer_class"`
	AddBOS   *bool           `json:"add_bos_token"`
	AddEOS   *bool           `json:"add_eos_token"`
	Space    *bool           `json:"add_prefix_space"`
	Longest  float64         `json:"model_max_length"`
	Template json.RawMessage `json:"chat_template"`
	special
}

// special names the tokens of a role, as texts or objects.
type special struct {
	BOS namedToken `json:"bos_token"`
	EOS namedToken `json:"eos_token"`
	UNK namedToken `json:"unk_token"`
	PAD namedToken `json:"pad_token"`
}

func (s special) roles() map[string]string {
	return map[string]string{"bos": string(s.BOS), "eos": string(s.EOS), "unk": string(s.UNK), "pad": string(s.PAD)}
}

type namedToken string

// UnmarshalJSON reads a text, or an object's content.
func (n *namedToken) UnmarshalJSON(b []byte) error {
	var object struct {
		Content string `json:"content"`
	}
	if json.Unmarshal(b, (*string)(n)) == nil {
		return nil
	}
	if err := json.Unmarshal(b, &object); err != nil {
		return fmt.Errorf("a special token is neither a text nor an object: %.40s", b)
	}
	*n = namedToken(object.Content)
	return nil
}

// readWords reads the tokenizer of a folder. Its findings are of what is
// contradictory there, and of what Ollama cannot be told.
func readWords(texts map[string][]byte, c Shape) (w *words, found []Finding, err error) {
	var config tokenizerConfig
	if err := decode(texts, "tokenizer_config.json", &config); err != nil {
		return nil, nil, err
	}
	tell := func(level Level, what, mend string) {
		found = append(found, Finding{Check: "tokenizer", Level: level, What: what, Mend: mend})
	}
	if texts["tokenizer.model"] != nil {
		w, err = readSentencePiece(texts["tokenizer.model"], tell)
	} else {
		w, err = readTokenizerJSON(texts["tokenizer.json"], tell)
	}
	if err != nil {
		return nil, found, err
	}
	if err := w.addTokens(texts); err != nil {
		return nil, found, err
	}
	w.configure(config)
	if err := w.name(texts, config, c, tell); err != nil {
		return nil, found, err
	}
	if n := config.Longest; n >= 1 && n < 1e9 && c.Positions > 0 && int(n) != c.Positions {
		found = append(found, Finding{Check: "context", Level: Remark, What: fmt.Sprintf("config.json states %d positions, tokenizer_config.json %.0f (model_max_length)", c.Positions, n),
			Mend: fmt.Sprintf("keep num_ctx to the smaller one, %d, unless it is known which was trained", min(int(n), c.Positions))})
	}
	w.chat = template(config.Template, string(texts[templateFile]))
	if rows := c.Vocab; len(w.tokens) < rows && rows <= 1<<20 {
		w.pad(rows)
	}
	return w, found, nil
}

func decode(texts map[string][]byte, name string, into any) error {
	if texts[name] == nil {
		return nil
	}
	if err := json.Unmarshal(texts[name], into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// readSentencePiece reads tokenizer.model.
func readSentencePiece(raw []byte, tell func(Level, string, string)) (*words, error) {
	var m sentencepiece.ModelProto
	if err := proto.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("tokenizer.model: %w", err)
	}
	w := &words{model: "llama", addBOS: true, space: m.GetNormalizerSpec().GetAddDummyPrefix(), ids: map[string]int{}}
	for _, p := range m.GetPieces() {
		kind := int32(p.GetType()) // GGUF has taken over its numbers
		if kind < tokenNormal || kind > tokenByte {
			kind = tokenNormal
		}
		w.tokens, w.scores, w.types = append(w.tokens, p.GetPiece()), append(w.scores, p.GetScore()), append(w.types, kind)
	}
	if len(w.tokens) == 0 {
		return nil, errors.New("tokenizer.model: it holds no pieces")
	}
	t, n := m.GetTrainerSpec(), m.GetNormalizerSpec()
	for role, id := range map[string]int32{"unk": t.GetUnkId(), "bos": t.GetBosId(), "eos": t.GetEosId(), "pad": t.GetPadId()} {
		if id >= 0 && int(id) < len(w.tokens) {
			w.ids[role] = int(id)
		}
	}
	if kind := t.GetModelType(); kind != sentencepiece.TrainerSpec_BPE {
		tell(Fault, fmt.Sprintf("tokenizer.model is of the kind %s, but Ollama and llama.cpp read a LLaMA's as BPE: texts are cut into other tokens", kind),
			"train the tokenizer as BPE, as LLaMA's is, or serve the model by a program that reads "+kind.String())
	}
	if len(n.GetPrecompiledCharsmap()) > 0 {
		tell(Remark, fmt.Sprintf("its normaliser %s rewrites characters, which neither Ollama nor llama.cpp does", n.GetName()), "normalise prompts beforehand where they hold other than plain letters")
	}
	if n.GetRemoveExtraWhitespaces() {
		tell(Remark, "its normaliser joins several spaces to one, which neither Ollama nor llama.cpp does", "send prompts without double spaces")
	}
	return w, nil
}

// addTokens adds what added_tokens.json puts behind the vocabulary.
func (w *words) addTokens(texts map[string][]byte) error {
	added := make(map[string]int)
	if err := decode(texts, "added_tokens.json", &added); err != nil {
		return err
	}
	byID := make(map[int]string, len(added))
	for text, id := range added {
		if id >= len(w.tokens) {
			byID[id] = text
		}
	}
	for range byID {
		text, ok := byID[len(w.tokens)]
		if !ok {
			return fmt.Errorf("added_tokens.json: no token has the number %d", len(w.tokens))
		}
		w.tokens, w.scores, w.types = append(w.tokens, text), append(w.scores, -1000), append(w.types, tokenUser)
	}
	return nil
}

// configure applies what tokenizer_config.json states over the tokenizer's own.
func (w *words) configure(c tokenizerConfig) {
	llama := strings.HasPrefix(c.Class, "LlamaTokenizer")
	if c.AddBOS != nil && (llama || w.model == "llama" || *c.AddBOS) {
		w.addBOS = *c.AddBOS
	}
	if c.AddEOS != nil && (llama || w.model == "llama" || *c.AddEOS) {
		w.addEOS = *c.AddEOS
	}
	if c.Space != nil && w.model == "llama" {
		w.space = *c.Space
	}
}

// name finds the special tokens: by the names that the tokenizer's files give
// them, else by config.json's numbers.
func (w *words) name(texts map[string][]byte, config tokenizerConfig, c Shape, tell func(Level, string, string)) error {
	var mapped special
	if err := decode(texts, "special_tokens_map.json", &mapped); err != nil {
		return err
	}
	var generation struct {
		EOS json.RawMessage `json:"eos_token_id"`
	}
	if err := decode(texts, "generation_config.json", &generation); err != nil {
		return err
	}
	first, second := config.roles(), mapped.roles()
	for _, role := range []string{"bos", "eos", "unk", "pad"} {
		text := first[role]
		if text == "" {
			text = second[role]
		}
		stated, has := c.ids[role], c.ids[role] >= 0 && role != "unk"
		at := slices.Index(w.tokens, text)
		switch {
		case text != "" && at < 0:
			tell(Fault, fmt.Sprintf("its %s token %q is not in the vocabulary", role, text), "correct "+role+"_token in tokenizer_config.json or add the token")
		case text != "" && has && stated != at && !slices.Contains(allIDs(generation.EOS), at):
			tell(Fault, fmt.Sprintf("config.json has the %s token number %d, the tokenizer calls %q so, which is number %d", role, stated, text, at),
				"make "+role+"_token_id of config.json "+fmt.Sprint(at)+", or correct "+role+"_token of tokenizer_config.json")
			w.ids[role] = at
		case text != "":
			w.ids[role] = at
		case has:
			w.ids[role] = stated
		}
		if id, ok := w.ids[role]; ok && id < len(w.types) && w.types[id] == tokenNormal && (role == "bos" || role == "eos") {
			w.types[id] = tokenControl
		}
	}
	for _, id := range allIDs(generation.EOS) {
		if id != w.ids["eos"] && id >= 0 && id < len(w.tokens) {
			w.ends = append(w.ends, id)
		}
	}
	return nil
}

// template is the chat template: stated in tokenizer_config.json, where it may
// be one of several, or in a file of its own.
func template(raw json.RawMessage, file string) string {
	var one string
	if json.Unmarshal(raw, &one) == nil && one != "" {
		return one
	}
	var several []struct {
		Name     string `json:"name"`
		Template string `json:"template"`
	}
	if json.Unmarshal(raw, &several) == nil {
		for _, t := range several {
			if t.Name == "default" {
				return t.Template
			}
		}
	}
	return file
}

// pad gives every row of the embedding a token, as llama.cpp wants it.
func (w *words) pad(rows int) {
	for i := len(w.tokens); i < rows; i++ {
		w.tokens, w.scores, w.types = append(w.tokens, fmt.Sprintf("[PAD%d]", i)), append(w.scores, -1000), append(w.types, tokenUnused)
	}
}

// metadata tells the model by GGUF's keys.
func (c Shape) metadata(w *words) map[string]any {
	m := map[string]any{
		"general.architecture":                   "llama",
		"general.file_type":                      uint32(1),
		"general.quantization_version":           uint32(2),
		"llama.vocab_size":                       uint32(c.Vocab),
		"llama.embedding_length":                 uint32(c.Hidden),
		"llama.feed_forward_length":              uint32(c.Intermediate),
		"llama.block_count":                      uint32(c.Layers),
		"llama.attention.head_count":             uint32(c.Heads),
		"llama.attention.head_count_kv":          uint32(c.KVHeads),
		"llama.attention.key_length":             uint32(c.HeadDim),
		"llama.attention.value_length":           uint32(c.HeadDim),
		"llama.attention.layer_norm_rms_epsilon": float32(c.Eps),
		"llama.rope.dimension_count":             uint32(c.HeadDim),
		"llama.rope.freq_base":                   float32(c.Theta),
		"llama.context_length":                   uint32(max(c.Positions, 1)),
		"tokenizer.ggml.model":                   w.model,
		"tokenizer.ggml.tokens":                  w.tokens,
		"tokenizer.ggml.token_type":              w.types,
		"tokenizer.ggml.add_bos_token":           w.addBOS,
		"tokenizer.ggml.add_eos_token":           w.addEOS,
		"tokenizer.ggml.add_space_prefix":        w.space,
	}
	if w.model == "llama" {
		m["tokenizer.ggml.scores"] = w.scores
		m["tokenizer.ggml.pre"] = "default"
	} else {
		m["tokenizer.ggml.merges"] = w.merges
		m["tokenizer.ggml.pre"] = w.pre
	}
	for role, key := range map[string]string{"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"} {
		if id, ok := w.ids[role]; ok && id >= 0 {
			m["tokenizer.ggml."+key+"_token_id"] = uint32(id)
		}
	}
	if len(w.ends) > 0 {
		m["tokenizer.ggml.eot_token_id"] = uint32(w.ends[0])
	}
	if w.chat != "" {
		m["tokenizer.chat_template"] = w.chat
	}
	if s := c.Scaling; s.Kind == "linear" || s.Kind == "yarn" {
		m["llama.rope.scaling.type"] = s.Kind
		m["llama.rope.scaling.factor"] = float32(s.Factor)
		if s.Original > 0 {
			m["llama.rope.scaling.original_context_length"] = uint32(s.Original)
		}
	}
	return m
}
