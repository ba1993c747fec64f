package builtin

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// without runs what the Go code computes where there are no vectors.
func without(t *testing.T, compute func()) {
	t.Helper()
	unit := vector
	if vector = nil; unit == nil {
		t.Log("this machine has no vector unit that the engine uses: both sides are Go")
	}
	defer func() { vector = unit }()
	compute()
}

func randomFloats(rng *rand.Rand, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(rng.NormFloat64() * 3)
	}
	return out
}

// TestVectorsComputeWhatGoDoes compares to the last bit, at every remainder of
// rows, columns and positions.
func TestVectorsComputeWhatGoDoes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, cols := range []int{1, 7, 8, 12, 32, 40, 64, 160} {
		for rows := range 10 {
			for n := 1; n < 6; n++ {
				stride := cols + rng.IntN(9)
				w := table{randomFloats(rng, (rows+1)*stride), rows + 1, cols, stride}
				x := table{randomFloats(rng, n*stride), n, cols, stride}
				p := randomFloats(rng, rows+1)
				compute := func() (out, mixed []float32) {
					out, mixed = make([]float32, n*20), make([]float32, cols)
					multiply(table{out, n, rows + 1, 20}, w, x)
					weigh(mixed, p, w)
					return out, mixed
				}
				out, mixed := compute()
				without(t, func() {
					wantOut, wantMixed := compute()
					if !slices.Equal(out, wantOut) || !slices.Equal(mixed, wantMixed) {
						t.Fatalf("%d rows of %d numbers, %d positions: vectors and Go differ", rows+1, cols, n)
					}
				})
			}
		}
	}
}

var everyNumber = flag.Bool("every.number", false, "compare the exponential of every float32")

// TestExp wants Go's exponential, to the last bit, of the numbers between which
// it is not 0 or infinite and some around: one in 1021 of them, or all.
func TestExp(t *testing.T) {
	if vector == nil {
		t.Log("this machine has no vector unit that the engine uses")
		return
	}
	step := uint32(1021)
	if *everyNumber {
		step = 1
	}
	x, y := make([]float32, 0, 1<<12), make([]float32, 1<<12)
	check := func() {
		copy(y, x)
		exponentials(y[:len(x)])
		for i, v := range x {
			if want := exp(v); math.Float32bits(y[i]) != math.Float32bits(want) {
				t.Errorf("exp(%v) is %v, want %v", v, y[i], want)
			}
		}
		x = x[:0]
	}
	for bits := uint32(0); bits < math.Float32bits(120); bits += step {
		v := math.Float32frombits(bits)
		if x = append(x, v, -v); len(x) == cap(x) {
			check()
		}
	}
	inf := float32(math.Inf(1))
	x = append(x, inf, -inf, 1e30, -1e30, float32(math.NaN()), 0, 1, -1)
	check()
	gate, up := randomFloats(rand.New(rand.NewPCG(4, 4)), 77), randomFloats(rand.New(rand.NewPCG(5, 5)), 77)
	gate[3], gate[4], gate[5] = inf, -inf, 1e30
	other := slices.Clone(gate)
	gateBy(gate, up)
	without(t, func() { gateBy(other, up) })
	for i := range gate {
		if math.Float32bits(gate[i]) != math.Float32bits(other[i]) && gate[i] == gate[i] {
			t.Errorf("number %d: %v with vectors, %v without", i, gate[i], other[i])
		}
	}
}

// TestWideningIsExact widens every F16 and BF16 number that is finite, and
// blocks of Q8_0 of every scale.
func TestWideningIsExact(t *testing.T) {
	if vector == nil {
		t.Log("this machine has no vector unit that the engine uses: nothing is widened")
		return
	}
	var halves, blocks []byte
	for h := range 1 << 16 {
		halves = binary.LittleEndian.AppendUint16(halves, uint16(h))
		blocks = binary.LittleEndian.AppendUint16(blocks, uint16(h))
		for i := range q8Block {
			blocks = append(blocks, byte(h*5+i*8))
		}
	}
	for kind, raw := range map[tensorKind][]byte{kindF16: halves, kindBF16: halves, kindQ8_0: blocks} {
		n := len(halves) / 2
		if kind == kindQ8_0 {
			n *= q8Block
		}
		got, want := make([]float32, n), make([]float32, n)
		vector.widen[kind](&got[0], &raw[0], n)
		expand(want, raw, kind)
		for i := range got {
			if got[i] != want[i] && want[i] == want[i] {
				t.Fatalf("%v number %d is %v, want %v", kind, i, got[i], want[i])
			}
		}
	}
}

// logitDigests are those of the logits of one text, which engineVersion
// stands for: where one changes, the same file could give another text.
var logitDigests = map[string]string{
	"builtin 1 mini-teacher": "821f11644ecc3174",
	"builtin 1 mini-student": "2358511739bf0063",
	"builtin 1 mini-baby":    "16ce5046c1901ab4",
}

// TestBits wants the same logits, to the last bit, in batches and one token at
// a time, on one thread and on two, with vectors and without, and from one
// build of the engine to the next.
func TestBits(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, name := range Names() {
		want := logitDigests[engineVersion+" "+name]
		for _, threads := range []int{1, 2} {
			runtime.GOMAXPROCS(threads)
			if got := digestOf(t, name, inBatches); got != want {
				t.Errorf("%s in batches, %d threads: %s, want %s", name, threads, got, want)
			}
		}
		if got := digestOf(t, name, stepByStep); got != want {
			t.Errorf("%s step by step: %s, want %s", name, got, want)
		}
		without(t, func() {
			if got := digestOf(t, name, inBatches); got != want {
				t.Errorf("%s without vectors: %s, want %s", name, got, want)
			}
		})
	}
}

// reading reads ids and tells the logits after each.
type reading func(s *session, ids []int32, each func(i int, logits []float32)) error

func inBatches(s *session, ids []int32, each func(i int, logits []float32)) error {
	return s.prefill(context.Background(), ids, each)
}

func stepByStep(s *session, ids []int32, each func(i int, logits []float32)) error {
	for i, id := range ids {
		s.step(id)
		each(i, s.predict())
	}
	return nil
}

// digestOf hashes what a model expects along a text that fills its context.
func digestOf(t *testing.T, name string, read reading) string {
	t.Helper()
	m, sum := loaded(t, name), sha256.New()
	ids, err := m.words.encode(readPrompts(t)[0], m.context)
	if err != nil {
		t.Fatal(err)
	}
	for len(ids) < m.context {
		ids = append(ids, (ids[len(ids)-3]+7)%int32(m.vocab))
	}
	err = read(m.newSession(), ids, func(_ int, logits []float32) {
		if err := binary.Write(sum, binary.LittleEndian, logits); err != nil {
			t.Fatal(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))[:16]
}
