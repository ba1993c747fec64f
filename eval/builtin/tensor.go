package builtin

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// tensorKind is GGUF's code of how a tensor's numbers are stored.
type tensorKind uint32

const (
	kindF32  tensorKind = 0
	kindF16  tensorKind = 1
	kindQ8_0 tensorKind = 8
	kindBF16 tensorKind = 30

	q8Block = 32          // numbers in a block of Q8_0
	q8Bytes = 2 + q8Block // an F16 scale and 32 int8
)

// kindNames names the kinds that are refused, so that the refusal says which.
var kindNames = map[tensorKind]string{
	kindF32: "F32", kindF16: "F16", kindQ8_0: "Q8_0", kindBF16: "BF16",
	2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K",
	16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS",
	24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
}

func (k tensorKind) String() string {
	if name, ok := kindNames[k]; ok {
		return name
	}
	return fmt.Sprintf("type %d", uint32(k))
}

// size is the number of bytes of a tensor of a shape whose product does not
// overflow, or the refusal of a kind that this engine does not read.
func (k tensorKind) size(shape []int) (int64, error) {
	n := int64(1)
	for _, d := range shape {
		n *= int64(d)
	}
	switch {
	case k == kindQ8_0 && shape[0]%q8Block != 0:
		return 0, fmt.Errorf("rows of %d numbers do not divide into blocks of Q8_0 (%d)", shape[0], q8Block)
	case k == kindF32, k == kindF16, k == kindBF16, k == kindQ8_0:
		return k.bytes(int(n)), nil
	}
	return 0, fmt.Errorf("stored as %s; the built-in engine reads F32, F16, BF16 and Q8_0 (use Ollama for other quantisations)", k)
}

// bytes is what n numbers of a readable kind take, whole blocks of it.
func (k tensorKind) bytes(n int) int64 {
	switch k {
	case kindF32:
		return int64(n) * 4
	case kindQ8_0:
		return int64(n) / q8Block * q8Bytes
	}
	return int64(n) * 2
}

// chunk is how many numbers are read at a time: whole blocks of every kind.
const chunk = 1 << 16

// floats reads a tensor and expands it to float32. A number that is not finite
// is an error.
func (t tensorInfo) floats() ([]float32, error) {
	out := make([]float32, t.count)
	var raw []byte
	for from := 0; from < t.count; from += chunk {
		to := min(from+chunk, t.count)
		start, end := t.kind.bytes(from), t.kind.bytes(to)
		raw = slices.Grow(raw[:0], int(end-start))[:end-start]
		if _, err := t.data.ReadAt(raw, t.offset+start); err != nil {
			return nil, fmt.Errorf("read %d bytes at %d: %w", end-start, t.offset+start, err)
		}
		expand(out[from:to], raw, t.kind)
		for i, v := range out[from:to] {
			if t.asF16 {
				v = halfToFloat(floatToHalf(v))
				out[from+i] = v
			}
			if v-v != 0 { // NaN or infinite
				return nil, fmt.Errorf("number %d is %v: the weights are corrupt", from+i, v)
			}
		}
	}
	return out, nil
}

// expand turns numbers of a readable kind into float32.
func expand(out []float32, raw []byte, kind tensorKind) {
	switch kind {
	case kindF32:
		for i := range out {
			out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
	case kindF16:
		for i := range out {
			out[i] = halfToFloat(binary.LittleEndian.Uint16(raw[2*i:]))
		}
	case kindBF16:
		for i := range out {
			out[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(raw[2*i:])) << 16)
		}
	case kindQ8_0:
		for i := range out {
			block := raw[i/q8Block*q8Bytes:]
			out[i] = halfToFloat(binary.LittleEndian.Uint16(block)) * float32(int8(block[2+i%q8Block]))
		}
	}
}

// halfToFloat widens an IEEE 754 half-precision number; exact.
func halfToFloat(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exp, frac := uint32(h>>10)&31, uint32(h)&1023
	switch exp {
	case 0: // zero or subnormal: frac * 2^-24
		return math.Float32frombits(sign | math.Float32bits(float32(frac)*0x1p-24))
	case 31: // infinite or NaN
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// floatToHalf rounds to the nearest half-precision number, to even of two.
// What is too large becomes infinite.
func floatToHalf(v float32) uint16 {
	bits := math.Float32bits(v)
	sign, bits := uint16(bits>>16)&0x8000, bits&0x7fffffff
	switch {
	case bits > 0x7f800000: // NaN
		return sign | 0x7e00
	case bits < 0x38800000: // subnormal: a multiple of 2^-24
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(bits))*0x1p24))
	case bits >= 0x477ff000:
		return sign | 0x7c00
	}
	bits += 0xfff + bits>>13&1
	return sign | uint16((bits-112<<23)>>13)
}
