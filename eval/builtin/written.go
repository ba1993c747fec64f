package builtin

import "sync"

// mostWritten bounds what a Generator remembers of its replies.
const mostWritten = 64 << 20

// written remembers the logits of replies, so that a model which is compared
// with their writer on them need not have them computed again. What it has not
// is computed to the same last bit.
type written struct {
	mu      sync.Mutex
	replies map[string]Result // by prompt: the first with tokens
	bytes   int
}

func (w *written) keep(prompt string, r Result) {
	size := 0
	for _, row := range r.logits {
		size += 4 * len(row)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, there := w.replies[prompt]; there || size == 0 || w.bytes+size > mostWritten {
		return
	}
	if w.replies == nil {
		w.replies = make(map[string]Result)
	}
	w.replies[prompt] = Result{Tokens: r.Tokens, logits: r.logits}
	w.bytes += size
}

// logits gives those that ids were chosen from after prompt; ok is false where
// they are not remembered.
func (w *written) logits(prompt string, ids []int32) (rows [][]float32, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.replies[prompt]
	if len(r.Tokens) < len(ids) {
		return nil, false
	}
	for i, id := range ids {
		if r.Tokens[i].ID != int(id) {
			return nil, false
		}
	}
	return r.logits[:len(ids)], true
}
