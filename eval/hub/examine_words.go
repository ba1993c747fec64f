package hub

import (
	"fmt"
	"slices"
	"strings"
)

// checkVocabulary holds the tokenizer to the embedding, and its parts to each
// other.
func (w *Weights) checkVocabulary() (found []Finding) {
	tell := func(level Level, what, mend string) {
		found = append(found, Finding{Check: "tokenizer", Level: level, What: what, Mend: mend})
	}
	tokens, _ := w.Metadata["tokenizer.ggml.tokens"].([]string)
	types, _ := w.Metadata["tokenizer.ggml.token_type"].([]int32)
	rows := w.rows()
	if rows > 0 && len(tokens) > rows {
		tell(Fault, fmt.Sprintf("%d tokens, but the embedding has %d rows: the last ones have no numbers", len(tokens), rows), "use the tokenizer that the model was trained with, or resize the embedding to it")
	}
	if rows > 0 && len(tokens) < rows {
		tell(Fault, fmt.Sprintf("%d tokens, but the embedding has %d rows: llama.cpp refuses such a file", len(tokens), rows), "write a token for every row")
	}
	if n := countOf(types, tokenUnused); n > 0 && !w.GGUF {
		tell(Remark, fmt.Sprintf("%d rows of the embedding have no token", n), "nothing, if the vocabulary was padded on purpose")
	}
	if len(tokens) < 8 {
		tell(Fault, fmt.Sprintf("a vocabulary of %d tokens: no text can be written with it", len(tokens)), "use the tokenizer that the model was trained with")
	}
	for _, role := range []string{"bos", "eos"} {
		key := "tokenizer.ggml." + role + "_token_id"
		id, stated := integerOf(w.Metadata[key])
		switch {
		case !stated && role == "eos":
			tell(Remark, "no eos token is stated: replies end only at num_predict", "state eos_token in tokenizer_config.json, if the model has one")
		case stated && (id < 0 || id >= len(tokens)):
			tell(Fault, fmt.Sprintf("the %s token is number %d of a vocabulary of %d", role, id, len(tokens)), "correct "+role+"_token_id")
		case !stated && w.Metadata["tokenizer.ggml.add_"+role+"_token"] == true:
			tell(Fault, fmt.Sprintf("a %s token is put around every text (add_%s_token), but none is stated", role, role), "state "+role+"_token in tokenizer_config.json")
		}
	}
	if at := firstTwice(tokens); at >= 0 {
		tell(Fault, fmt.Sprintf("token %.40q appears twice, the second time as number %d", tokens[at], at), "use the tokenizer that the model was trained with")
	}
	if w.Metadata["tokenizer.ggml.model"] == "llama" {
		if n := countOf(types, tokenByte); n > 0 && n < 256 {
			tell(Fault, fmt.Sprintf("%d of 256 byte tokens: some texts cannot be written", n), "use the tokenizer that the model was trained with")
		} else if n == 0 {
			tell(Remark, "no byte fallback: characters outside the vocabulary are lost", "keep to the characters that the vocabulary has")
		}
	}
	if chat, _ := w.Metadata["tokenizer.chat_template"].(string); chat != "" {
		for _, marker := range markers(chat) {
			if !slices.Contains(tokens, marker) {
				tell(Remark, fmt.Sprintf("the chat template writes %.40q, which is not a token of the vocabulary", marker), "check that the model was trained with this template")
			}
		}
	}
	return found
}

// rows of the embedding; 0 where there is none.
func (w *Weights) rows() int {
	for _, t := range w.Tensors {
		if t.GGUF == "token_embd.weight" && len(t.Shape) == 2 {
			return t.Shape[0]
		}
	}
	return 0
}

func countOf(types []int32, kind int32) (n int) {
	for _, t := range types {
		if t == kind {
			n++
		}
	}
	return n
}

func integerOf(v any) (int, bool) {
	switch v := v.(type) {
	case uint32:
		return int(v), true
	case uint64:
		return int(min(v, 1<<32)), true
	case int64:
		return int(v), true
	}
	return 0, false
}

func firstTwice(tokens []string) int {
	seen := make(map[string]bool, len(tokens))
	for i, t := range tokens {
		if seen[t] {
			return i
		}
		seen[t] = true
	}
	return -1
}

// markers lists the texts of a chat template in the form of special tokens,
// such as <|user|>.
func markers(template string) (out []string) {
	for rest := template; ; {
		_, after, ok := strings.Cut(rest, "<|")
		name, behind, closed := strings.Cut(after, "|>")
		if !ok || !closed {
			return out
		}
		rest = behind
		if m := "<|" + name + "|>"; len(name) < 40 && !strings.ContainsAny(name, "<\n'\"") && !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
}

// checkMetadata looks for what Ollama and llama.cpp need of a GGUF file.
func checkMetadata(m map[string]any, tensors []Tensor) (found []Finding) {
	tell := func(level Level, what, mend string) {
		found = append(found, Finding{Check: "metadata", Level: level, What: what, Mend: mend})
	}
	const again = "convert the model again with llama.cpp's convert_hf_to_gguf.py or disteval models pull"
	name, _ := m["general.architecture"].(string)
	need := []string{"general.architecture", "tokenizer.ggml.model", "tokenizer.ggml.tokens"}
	if name != "" {
		for _, key := range []string{"block_count", "context_length", "embedding_length", "feed_forward_length", "attention.head_count"} {
			need = append(need, name+"."+key)
		}
	}
	if name == "llama" {
		need = append(need, "llama.attention.layer_norm_rms_epsilon", "tokenizer.ggml.token_type")
	}
	switch m["tokenizer.ggml.model"] {
	case "llama":
		need = append(need, "tokenizer.ggml.scores")
	case "gpt2":
		need = append(need, "tokenizer.ggml.merges")
		if m["tokenizer.ggml.pre"] == nil {
			tell(Fault, "tokenizer.ggml.pre is missing: llama.cpp cuts texts by a rule of its own, and the quality falls", again)
		}
	}
	for _, key := range need {
		if m[key] == nil {
			tell(Fault, key+" is missing: Ollama and llama.cpp need it", again)
		}
	}
	if m["general.file_type"] == nil {
		tell(Remark, "general.file_type is missing: Ollama shows no quantisation and makes no other of it", again)
	}
	for _, t := range tensors {
		if t.Size == 0 {
			tell(Fault, fmt.Sprintf("tensor %s is stored as %s, which Ollama does not read", t.Name, t.Type), again)
			break
		}
	}
	return found
}
