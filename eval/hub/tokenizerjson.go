package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const mostTokens = 1 << 20

// tokenizerJSON is as much of tokenizer.json as decides how text is cut.
type tokenizerJSON struct {
	Added []struct {
		ID      int    `json:"id"`
		Content string `json:"content"`
		Special bool   `json:"special"`
	} `json:"added_tokens"`
	Normalizer *step `json:"normalizer"`
	Pre        *step `json:"pre_tokenizer"`
	Post       *step `json:"post_processor"`
	Model      struct {
		Type     string          `json:"type"`
		Fallback bool            `json:"byte_fallback"`
		UNK      string          `json:"unk_token"`
		Vocab    json.RawMessage `json:"vocab"` // an object; a unigram model has a list
		Merges   json.RawMessage `json:"merges"`
	} `json:"model"`
}

// step is a normaliser, a pre-tokeniser or a post-processor, or several.
type step struct {
	Type       string `json:"type"`
	Normals    []step `json:"normalizers"`
	Pres       []step `json:"pretokenizers"`
	Processors []step `json:"processors"`
	Prepend    string `json:"prepend"`
	Scheme     string `json:"prepend_scheme"`
	Space      *bool  `json:"add_prefix_space"`
	Regex      *bool  `json:"use_regex"`
	Pattern    struct {
		Regex string `json:"Regex"`
	} `json:"pattern"`
	Single []struct {
		Special *struct {
			ID string `json:"id"`
		} `json:"SpecialToken"`
	} `json:"single"`
}

// flat lists a step's own steps, or itself.
func (s *step) flat() []step {
	if s == nil {
		return nil
	}
	inner := slices.Concat(s.Normals, s.Pres, s.Processors)
	if len(inner) == 0 {
		return []step{*s}
	}
	var out []step
	for i := range inner {
		out = append(out, inner[i].flat()...)
	}
	return out
}

func readTokenizerJSON(raw []byte, tell func(Level, string, string)) (*words, error) {
	var t tokenizerJSON
	if err := json.Unmarshal(raw, &t); err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	if t.Model.Type != "BPE" && t.Model.Type != "" {
		return nil, fmt.Errorf("tokenizer.json is of the kind %.20s: of a LLaMA, Ollama and llama.cpp read BPE only", t.Model.Type)
	}
	vocab := make(map[string]int)
	if err := json.Unmarshal(t.Model.Vocab, &vocab); err != nil {
		return nil, fmt.Errorf("vocabulary of tokenizer.json: %w", err)
	}
	merges, err := readMerges(t.Model.Merges)
	if err != nil {
		return nil, err
	}
	w := &words{ids: map[string]int{}}
	if err := w.fill(t, vocab); err != nil {
		return nil, err
	}
	if id, ok := vocab[t.Model.UNK]; ok && t.Model.UNK != "" {
		w.ids["unk"] = id
		w.types[id] = tokenUnknown
	}
	w.post(t.Post)
	pres := t.Pre.flat()
	if slices.ContainsFunc(pres, func(s step) bool { return s.Type == "ByteLevel" }) {
		w.byteLevel(pres, t.Normalizer.flat(), merges, tell)
	} else {
		w.spaced(t, merges, vocab, tell)
	}
	return w, nil
}

// readMerges reads pairs, as texts with a space between or as lists of two.
func readMerges(raw json.RawMessage) ([][2]string, error) {
	var texts []string
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	if json.Unmarshal(raw, &texts) == nil {
		out := make([][2]string, len(texts))
		for i, t := range texts {
			a, b, ok := strings.Cut(t, " ")
			if !ok || a == "" || b == "" {
				return nil, fmt.Errorf("merge %d of tokenizer.json is %.40q, no pair", i, t)
			}
			out[i] = [2]string{a, b}
		}
		return out, nil
	}
	var pairs [][2]string
	if err := json.Unmarshal(raw, &pairs); err != nil {
		return nil, errors.New("the merges of tokenizer.json are neither texts nor pairs")
	}
	return pairs, nil
}

// fill puts the vocabulary and the added tokens in the order of their numbers.
func (w *words) fill(t tokenizerJSON, vocab map[string]int) error {
	last := -1
	for _, id := range vocab {
		last = max(last, id)
	}
	for _, a := range t.Added {
		last = max(last, a.ID)
	}
	if last < 0 || last >= mostTokens {
		return fmt.Errorf("the vocabulary of tokenizer.json has token numbers up to %d: from 1 to %d tokens can be read", last, mostTokens)
	}
	w.tokens, w.scores, w.types = make([]string, last+1), make([]float32, last+1), make([]int32, last+1)
	put := func(id int, text string, kind int32) error {
		if id < 0 {
			return fmt.Errorf("token %.40q of tokenizer.json has the number %d", text, id)
		}
		if w.types[id] != 0 && w.tokens[id] != text {
			return fmt.Errorf("tokens %.40q and %.40q of tokenizer.json have the same number %d", w.tokens[id], text, id)
		}
		w.tokens[id], w.types[id] = text, kind
		return nil
	}
	for text, id := range vocab {
		kind := int32(tokenNormal)
		if t.Model.Fallback && len(text) == 6 && strings.HasPrefix(text, "<0x") {
			kind = tokenByte
		}
		if err := put(id, text, kind); err != nil {
			return err
		}
	}
	for _, a := range t.Added {
		kind := int32(tokenUser)
		if a.Special {
			kind = tokenControl
		}
		if err := put(a.ID, a.Content, kind); err != nil {
			return err
		}
	}
	for id, kind := range w.types {
		if kind == 0 {
			w.tokens[id], w.types[id] = fmt.Sprintf("[PAD%d]", id), tokenUnused
		}
	}
	return nil
}

// post reads which markers are put around a text.
func (w *words) post(s *step) {
	for _, p := range s.flat() {
		if n := len(p.Single); p.Type == "TemplateProcessing" && n > 1 {
			w.addBOS, w.addEOS = p.Single[0].Special != nil, p.Single[n-1].Special != nil
		}
	}
}

// Patterns by which byte-level tokenizers cut text, and llama.cpp's names.
var cuts = map[string]string{
	`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`: "llama-bpe",
	`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`:      "qwen2",
}

// byteLevel is GPT-2's kind: bytes as printable characters, pairs by rank.
func (w *words) byteLevel(pres, normals []step, merges [][2]string, tell func(Level, string, string)) {
	w.model = "gpt2"
	for _, m := range merges {
		w.merges = append(w.merges, m[0]+" "+m[1])
	}
	var kinds []string
	regex := ""
	for _, p := range pres {
		kinds = append(kinds, p.Type)
		if p.Type == "Split" {
			regex += p.Pattern.Regex
		}
		if p.Type == "ByteLevel" && p.Space != nil && *p.Space {
			tell(Remark, "it puts a space before a text (add_prefix_space), which Ollama and llama.cpp do for SentencePiece only", "begin prompts with a space")
		}
	}
	switch kind := strings.Join(kinds, "+"); {
	case kind == "ByteLevel":
		w.pre = "gpt-2"
	case kind == "Digits+ByteLevel":
		w.pre = "smollm"
	case kind == "Split+ByteLevel" && cuts[regex] != "":
		w.pre = cuts[regex]
	default:
		w.pre = "default"
		tell(Remark, "text is cut first by "+kind+", a way that llama.cpp has no known name for: some texts become other tokens", "convert the model with llama.cpp's convert_hf_to_gguf.py, and name that file as source")
	}
	for _, n := range normals {
		if n.Type != "" {
			tell(Remark, fmt.Sprintf("its normaliser %s rewrites characters, which neither Ollama nor llama.cpp does", n.Type), "normalise prompts beforehand where they hold other than plain letters")
		}
	}
}

// spaced is SentencePiece's kind, told by its merges: a piece's score falls
// with the rank of the first merge that makes it.
func (w *words) spaced(t tokenizerJSON, merges [][2]string, vocab map[string]int, tell func(Level, string, string)) {
	w.model = "llama"
	scored := make(map[int]bool)
	for rank, m := range merges {
		if id, ok := vocab[m[0]+m[1]]; ok && !scored[id] {
			w.scores[id], scored[id] = -float32(rank+1), true
		}
	}
	for _, n := range slices.Concat(t.Normalizer.flat(), t.Pre.flat()) {
		switch {
		case n.Type == "Prepend" && n.Prepend == "▁", n.Type == "Metaspace" && (n.Scheme == "always" || n.Scheme == "first" || n.Scheme == "" && (n.Space == nil || *n.Space)):
			w.space = true
		case n.Type != "Prepend" && n.Type != "Metaspace" && n.Type != "Replace" && n.Type != "":
			tell(Remark, fmt.Sprintf("its step %s rewrites or cuts text in a way that neither Ollama nor llama.cpp does", n.Type), "check the tokens of your prompts")
		}
	}
}
