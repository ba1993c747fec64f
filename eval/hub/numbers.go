package hub

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/x448/float16"
)

const (
	chunk   = 1 << 20 // bytes read at once: a multiple of every number's and block's size but Q8_0's
	q8Block = 32      // numbers in a block of Q8_0
	q8Bytes = 34      // an F16 scale and 32 int8
)

// numbers gives what a tensor's bytes stand for, or nil for a kind that is not
// read here. raw holds whole numbers, or whole blocks.
func numbers(kind string, raw []byte, out []float32) []float32 {
	out = out[:0]
	switch kind {
	case "F32":
		for ; len(raw) >= 4; raw = raw[4:] {
			out = append(out, math.Float32frombits(binary.LittleEndian.Uint32(raw)))
		}
	case "F16":
		for ; len(raw) >= 2; raw = raw[2:] {
			out = append(out, float16.Frombits(binary.LittleEndian.Uint16(raw)).Float32())
		}
	case "BF16":
		for ; len(raw) >= 2; raw = raw[2:] {
			out = append(out, math.Float32frombits(uint32(binary.LittleEndian.Uint16(raw))<<16))
		}
	case "Q8_0":
		for ; len(raw) >= q8Bytes; raw = raw[q8Bytes:] {
			scale := float16.Frombits(binary.LittleEndian.Uint16(raw)).Float32()
			for _, q := range raw[2:q8Bytes] {
				out = append(out, scale*float32(int8(q)))
			}
		}
	default:
		return nil
	}
	return out
}

// summary is what one pass over a tensor tells.
type summary struct {
	read     bool // the kind of number is read here
	nan, inf int64
	zero     bool // every byte, or every number
	constant bool
	rms      float64 // root mean square
	sum      [sha256.Size]byte
}

// summarize reads a tensor once.
func summarize(ctx context.Context, t Tensor, tell func(bytes int64)) (s summary, err error) {
	s = summary{zero: true, constant: true, read: numbers(t.Type, nil, []float32{}) != nil}
	hash := sha256.New()
	size := chunk
	if t.Type == "Q8_0" {
		size = chunk / q8Bytes * q8Bytes
	}
	buffer, values := make([]byte, size), make([]float32, 0, chunk/2)
	r := io.NewSectionReader(t.Data, t.Offset, t.Size)
	var first float32
	count, squares := int64(0), 0.0
	for left := t.Size; left > 0; {
		if ctx.Err() != nil {
			return s, ctx.Err()
		}
		raw := buffer[:min(int64(size), left)]
		if _, err := io.ReadFull(r, raw); err != nil {
			return s, fmt.Errorf("read tensor %s: %w", t.Name, err)
		}
		left -= int64(len(raw))
		hash.Write(raw)
		if !s.read {
			for _, b := range raw {
				s.zero = s.zero && b == 0
			}
			continue
		}
		values = numbers(t.Type, raw, values)
		if count == 0 && len(values) > 0 {
			first = values[0]
		}
		count += int64(len(values))
		for _, v := range values {
			switch {
			case v != v:
				s.nan++
			case math.IsInf(float64(v), 0):
				s.inf++
			default:
				squares += float64(v) * float64(v)
			}
			s.zero = s.zero && v == 0
			s.constant = s.constant && v == first
		}
		tell(int64(len(raw)))
	}
	s.rms = math.Sqrt(squares / float64(max(count, 1)))
	s.constant = s.constant && count > 1
	hash.Sum(s.sum[:0])
	return s, nil
}
