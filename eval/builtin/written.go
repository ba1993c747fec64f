package builtin

import "sync"

// mostWritten bounds what a Generator remembers of its replies.
const mostWritten = 64 << 20

// written remembers the predictions of replies, so that a model which is compared
// with their writer on them need not have them computed again. What it has not
// is computed to the same last bit.
type written struct {
	mu      sync.Mutex
	replies map[string]Result // by prompt: the first with tokens
	bytes   int
}

func (w *written) keep(prompt string, r Result) {
	size := 0
	for _, n := range r.predictions {
		size += 4 * len(n.logits)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, there := w.replies[prompt]; there || size == 0 || w.bytes+size > mostWritten {
		return
	}
	if w.replies == nil {
		w.replies = make(map[string]Result)
	}
	w.replies[prompt] = Result{Tokens: r.Tokens, predictions: r.predictions}
	w.bytes += size
}

// predictions gives those that ids were chosen from after prompt, nil where they
// are not remembered.
func (w *written) predictions(prompt string, ids []int32) []*prediction {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.replies[prompt]
	if len(r.Tokens) < len(ids) {
		return nil
	}
	for i, id := range ids {
		if r.Tokens[i].ID != int(id) {
			return nil
		}
	}
	return r.predictions[:len(ids)]
}
