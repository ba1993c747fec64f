package hub

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// far is by how much a tensor's root mean square may exceed those of the same
// tensor in both neighbouring layers, or fall short of them. Trained LLaMAs
// stay below 4.
const far = 8

// checkNumbers reads every tensor and looks for numbers that no training
// leaves.
func (w *Weights) checkNumbers(ctx context.Context, d *Diagnosis, tell Progress) (found []Finding, err error) {
	done := int64(0)
	seen := make(map[[sha256.Size]byte]Tensor)
	sums := make(map[string]float64)
	unread := make(map[string]int)
	for _, t := range w.Tensors {
		if t.Data == nil || t.Size == 0 {
			continue
		}
		s, err := summarize(ctx, t, func(n int64) {
			done += n
			tell("read the weights", done, d.Bytes)
		})
		if err != nil {
			return nil, err
		}
		if !s.read {
			unread[t.Type]++
		}
		found = append(found, w.judge(t, s, seen)...)
		if s.read && s.nan+s.inf == 0 && !s.zero {
			sums[t.GGUF] = s.rms
		}
	}
	for kind, n := range unread {
		d.NotDone = append(d.NotDone, fmt.Sprintf("the numbers of %d tensors: %s is not read here", n, kind))
	}
	return append(found, w.checkNorms(sums)...), nil
}

// judge says what is wrong with one tensor.
func (w *Weights) judge(t Tensor, s summary, seen map[[sha256.Size]byte]Tensor) (found []Finding) {
	tell := func(what, mend string) {
		found = append(found, Finding{"numbers", Fault, t.Name, what, mend})
	}
	matrix, bias := len(t.Shape) > 1, strings.HasSuffix(t.Name, ".bias")
	weight := w.Llama() // other architectures keep masks and the like beside their weights
	const again = "save the checkpoint again from the last good state"
	switch {
	case s.nan > 0:
		tell(fmt.Sprintf("%d of %d numbers are NaN: the model answers nothing", s.nan, t.Count()), "go back to a checkpoint before the loss was NaN (a smaller learning rate, bfloat16 in place of float16)")
	case s.inf > 0:
		tell(fmt.Sprintf("%d of %d numbers are infinite", s.inf, t.Count()), "save in float32 or bfloat16: float16 ends at 65504")
	case s.zero && weight && !bias:
		tell("all numbers are 0", again+": it was never written, or never trained")
	case s.constant && weight && matrix:
		tell("all numbers are the same", again+": it was never trained")
	case weight && matrix:
		other, twice := seen[s.sum]
		seen[s.sum] = t
		tied := slices.Contains([]string{"output.weight", "token_embd.weight"}, t.GGUF) && slices.Contains([]string{"output.weight", "token_embd.weight"}, other.GGUF)
		if twice && !tied {
			tell("the same numbers as "+other.Name, "save the checkpoint again: one was copied over the other")
		}
	}
	return found
}

// checkNorms compares a tensor with the same one in the layers beside it.
func (w *Weights) checkNorms(sums map[string]float64) (found []Finding) {
	for _, t := range w.Tensors {
		mine, ok := sums[t.GGUF]
		rest, isLayer := strings.CutPrefix(t.GGUF, "blk.")
		layer, part, _ := strings.Cut(rest, ".")
		i, err := strconv.Atoi(layer)
		if !ok || !isLayer || err != nil || strings.HasSuffix(part, ".bias") {
			continue
		}
		beside := neighbours(sums, i, part)
		if len(beside) == 0 {
			continue
		}
		low, high := slices.Min(beside), slices.Max(beside)
		if mine <= far*high && mine >= low/far {
			continue
		}
		ratio := mine / high
		if mine < low {
			ratio = mine / low
		}
		f := Finding{"norms", Fault, t.Name, fmt.Sprintf("its numbers are %.3g times as large as in the layers beside it (root mean square %.3g)", ratio, mine),
			"compare with the checkpoint before: a layer was scaled, or not trained"}
		if edge := i == 0 || math.IsNaN(sum(sums, i+1, part)); edge && len(t.Shape) == 1 || len(beside) == 1 && len(t.Shape) == 1 {
			f.Level = Remark // the first and last norms of trained models do stand out
		}
		found = append(found, f)
	}
	return found
}

func sum(sums map[string]float64, layer int, part string) float64 {
	if v, ok := sums[fmt.Sprintf("blk.%d.%s", layer, part)]; ok {
		return v
	}
	return math.NaN()
}

// neighbours are the two layers nearest to layer i that have the tensor: those
// on both sides, at an end the next two.
func neighbours(sums map[string]float64, i int, part string) (out []float64) {
	for _, j := range []int{i - 1, i + 1, i - 2, i + 2} {
		if v := sum(sums, j, part); !math.IsNaN(v) && len(out) < 2 {
			out = append(out, v)
		}
	}
	return out
}

// sameBytes compares two tensors of one size.
func sameBytes(a, b Tensor) (bool, error) {
	x, y := io.NewSectionReader(a.Data, a.Offset, a.Size), io.NewSectionReader(b.Data, b.Offset, b.Size)
	p, q := make([]byte, chunk), make([]byte, chunk)
	for {
		n, err := io.ReadFull(x, p)
		m, other := io.ReadFull(y, q)
		if n != m || !bytes.Equal(p[:n], q[:m]) {
			return false, nil
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return true, nil
		}
		if err != nil || other != nil {
			return false, err
		}
	}
}
