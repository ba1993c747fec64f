package hub

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
)

// isRotary tells whether a tensor holds rotary frequencies, which older
// writers store beside the weights. They follow from the configuration;
// Ollama's converter hands them on all the same, and its runner then refuses
// the model for having more tensors than its layers need.
func isRotary(name string) bool { return strings.HasSuffix(name, ".rotary_emb.inv_freq") }

func (h header) rotary() bool {
	for name := range h.tensors {
		if isRotary(name) {
			return true
		}
	}
	return false
}

// dropRotary copies a safetensors file without its rotary frequencies. It is a
// converter.
func dropRotary(ctx context.Context, weights, dest string, tell func(done, total int64)) error {
	f, err := os.Open(weights)
	if err != nil {
		return fmt.Errorf("read %s: %w", weights, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("read %s: %w", weights, err)
	}
	doing := "leave the rotary frequencies out of " + weights
	h, err := readHeader(f, info.Size())
	if err != nil {
		return &Error{doing, err, elsewhere}
	}
	return store(ctx, doing, dest, func(w io.Writer) error { return h.copyWeights(ctx, w, f, tell) })
}

// copyWeights writes the tensors of r one after the other, in their order there.
func (h header) copyWeights(ctx context.Context, w io.Writer, r io.ReaderAt, tell func(done, total int64)) error {
	maps.DeleteFunc(h.tensors, func(name string, _ entry) bool { return isRotary(name) })
	names := h.inOrder()
	moved := make(map[string]entry, len(names))
	total := int64(0)
	for _, name := range names {
		e := h.tensors[name]
		end := total + e.Offsets[1] - e.Offsets[0]
		e.Offsets = []int64{total, end}
		moved[name], total = e, end
	}
	if err := writeHeader(w, moved); err != nil {
		return err
	}
	out := &meter{ctx: ctx, total: total, tell: tell}
	for _, name := range names {
		at := h.tensors[name].Offsets
		out.r = io.NewSectionReader(r, h.start+at[0], at[1]-at[0])
		if _, err := io.Copy(w, out); err != nil {
			return fmt.Errorf("tensor %s: %w", name, err)
		}
	}
	return nil
}
