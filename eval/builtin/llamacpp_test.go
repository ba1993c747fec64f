package builtin

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"flag"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/disteval/disteval/metrics/likelihood"
	"github.com/disteval/disteval/queries"
)

var everyQuery = flag.Int("llamacpp.every", 10, "compare every n-th query of the set with llama.cpp")

// llamaCPP is a running second opinion.
type llamaCPP struct {
	in  io.WriteCloser
	out *bufio.Reader
}

type secondOpinion struct {
	Forms []struct {
		Tokens []int32
		Bits   float64
		Ranks  []int
		Near   []bool // another token is as probable
	}
	KLD []float64
}

// startLlamaCPP starts a script of testdata/llamacpp. Without its npm package
// the test is skipped, or fails where DISTEVAL_NO_SKIP=1.
func startLlamaCPP(t testing.TB, script string, args ...string) *llamaCPP {
	t.Helper()
	dir := filepath.Join("testdata", "llamacpp")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "node-llama-cpp")); err != nil {
		const reason = "needs llama.cpp: run `npm ci --ignore-scripts --omit=optional` in eval/builtin/testdata/llamacpp"
		if os.Getenv("DISTEVAL_NO_SKIP") == "1" {
			t.Fatal(reason)
		}
		t.Skip(reason)
	}
	cmd := exec.CommandContext(t.Context(), "node", append([]string{script}, args...)...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait() // killed where a test ended early
	})
	return &llamaCPP{in: in, out: bufio.NewReader(out)}
}

// widened writes the weights of a model inside the program as F32, the same
// numbers, and returns the file's path. Of F16 weights llama.cpp rounds what they
// are multiplied with to F16 too, which moves bits by up to 0.08.
func widened(t *testing.T, name string) string {
	t.Helper()
	f, done, err := (&fileSource{open: func() (fs.File, error) { return embedded.Open("models/" + name + ".gguf") }}).read()
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	m := &tiny{}
	for _, name := range slices.Sorted(maps.Keys(f.values)) {
		value := f.values[name]
		switch v := value.(type) {
		case uint64:
			value = uint32(v)
		case int64:
			value = uint32(v)
		case float64:
			value = float32(v)
		}
		m.set(name, value)
	}
	m.set("general.file_type", uint32(0))
	m.unset("general.alignment")
	for _, name := range slices.Sorted(maps.Keys(f.tensors)) {
		info := f.tensors[name]
		numbers, err := info.floats()
		if err != nil {
			t.Fatal(err)
		}
		wide := tensor{name: name, kind: uint32(kindF32), offset: -1}
		for _, n := range info.shape {
			wide.shape = append(wide.shape, uint64(n))
		}
		for _, v := range numbers {
			wide.data = binary.LittleEndian.AppendUint32(wide.data, f32bits(v))
		}
		m.tensors = append(m.tensors, wide)
	}
	path := filepath.Join(t.TempDir(), name+".gguf")
	if err := os.WriteFile(path, m.bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (l *llamaCPP) ask(t *testing.T, prompt string, texts []string, reply []int32) (o secondOpinion) {
	t.Helper()
	l.exchange(t, map[string]any{"prompt": prompt, "texts": texts, "reply": reply}, &o)
	return o
}

// exchange sends a line and decodes the line that comes back.
func (l *llamaCPP) exchange(t testing.TB, request, answer any) {
	t.Helper()
	if err := json.NewEncoder(l.in).Encode(request); err != nil {
		t.Fatal(err)
	}
	line, err := l.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, answer)
	}
	if err != nil {
		t.Fatalf("llama.cpp on %v: %v", request, err)
	}
}

// sameBits is how far two sums of bits may lie apart: float32 sums in another
// order come to a tenth of it.
const sameBits = 1e-3

// TestLlamaCPPAgrees asks llama.cpp for the same texts: bits, ranks, choices
// and divergences are the same.
func TestLlamaCPPAgrees(t *testing.T) {
	set := queries.Builtin()
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other := startLlamaCPP(t, "probe.mjs", widened(t, name), widened(t, "mini-teacher"))
			forms, choices, positions := 0, 0, 0
			worstBits, worstKLD := 0.0, 0.0 // differences; of kld the part of itself, from 0.01 nats on
			for i := 0; i < len(set.Queries); i += *everyQuery {
				q := set.Queries[i]
				p, reference := probingOf(t, open(t, name), q.Prompt), probingOf(t, open(t, "mini-teacher"), q.Prompt)
				answers, candidates := q.Answers(), set.Candidates(q)
				texts := spaced(append(slices.Clip(answers), candidates...))
				reply := reference.greedy(t, 16)
				theirs := other.ask(t, q.Prompt, texts, reply)
				ours := probed(t, open(t, name), q.Prompt, texts...)
				worstBits = max(worstBits, compareForms(t, q.ID, ours, theirs))
				forms += len(ours)
				right, chosen := chooses(theirs, len(answers), texts)
				c := likelihood.Choose(ours[len(answers)], ours[len(answers)+1:])
				if (c.Score.Value == 1) != right || c.Chosen != chosen {
					t.Errorf("%s: chose %q, llama.cpp %q", q.ID, c.Chosen, chosen)
				}
				choices++
				d, why := p.against(t, reference, reply)
				if len(d) != len(theirs.KLD) {
					t.Fatalf("%s: %d positions, llama.cpp %d: %s", q.ID, len(d), len(theirs.KLD), why)
				}
				for j := range d {
					off := math.Abs(d[j].KLD - theirs.KLD[j])
					if off > max(1e-4, 0.01*theirs.KLD[j]) {
						t.Errorf("%s, token %d: kld %v, llama.cpp %v", q.ID, j, d[j].KLD, theirs.KLD[j])
					}
					worstKLD = max(worstKLD, off/max(theirs.KLD[j], 0.01))
				}
				positions += len(d)
			}
			t.Logf("%d texts, %d choices, %d positions; bits differ by %.2g at most, kld by %.2g of itself", forms, choices, positions, worstBits, worstKLD)
			if forms == 0 || choices == 0 || positions == 0 {
				t.Error("nothing was compared")
			}
		})
	}
}

func spaced(texts []string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = " " + text
	}
	return out
}

// greedy is the model's own reply in tokens, the end token left out.
func (p *probing) greedy(t *testing.T, most int) []int32 {
	t.Helper()
	ids := slices.Clone(p.prompt)
	for len(ids) < len(p.prompt)+most {
		best := argmax(p.after(t, ids).logits)
		if p.words.ends(best) {
			break
		}
		ids = append(ids, best)
	}
	return ids[len(p.prompt):]
}

// compareForms returns the largest difference in bits.
func compareForms(t *testing.T, query string, ours []likelihood.Form, theirs secondOpinion) (worst float64) {
	t.Helper()
	for i, f := range ours {
		o := theirs.Forms[i]
		lo, _ := f.Bits()
		worst = max(worst, math.Abs(lo-o.Bits))
		if len(f.Steps) != len(o.Tokens) || !f.Exact() || math.Abs(lo-o.Bits) > sameBits {
			t.Errorf("%s, %q: %v bits in %d tokens, llama.cpp %v in %d (%s)", query, f.Text, lo, len(f.Steps), o.Bits, len(o.Tokens), f.Reason)
			continue
		}
		for j, s := range f.Steps {
			if s.ID != int(o.Tokens[j]) || s.Rank != o.Ranks[j] && !o.Near[j] {
				t.Errorf("%s, %q, token %d: %d of rank %d, llama.cpp %d of %d", query, f.Text, j, s.ID, s.Rank, o.Tokens[j], o.Ranks[j])
			}
		}
	}
	return worst
}

// chooses is llama.cpp's choice among the texts from the n-th on, of which the
// first is the right one.
func chooses(o secondOpinion, n int, texts []string) (right bool, chosen string) {
	best := n
	for i := n; i < len(texts); i++ {
		if o.Forms[i].Bits/float64(len(texts[i])) < o.Forms[best].Bits/float64(len(texts[best])) {
			best = i
		}
	}
	return best == n, texts[best]
}
