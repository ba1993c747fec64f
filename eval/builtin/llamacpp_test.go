package builtin

import (
	"bufio"
	"encoding/json"
	"flag"
	"io"
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

// embeddedFile is the path of a model inside the program, from its scripts' folder.
func embeddedFile(name string) string { return filepath.Join("..", "..", "models", name+".gguf") }

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

// close tells whether two figures agree to within 0.02 or 0.5 %.
func close(a, b float64) bool { return math.Abs(a-b) <= max(0.02, 0.005*b) }

// TestLlamaCPPAgrees asks llama.cpp for the same texts: bits, ranks, choices
// and divergences are the same.
func TestLlamaCPPAgrees(t *testing.T) {
	set := queries.Builtin()
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other := startLlamaCPP(t, "probe.mjs", embeddedFile(name), embeddedFile("mini-teacher"))
			forms, choices, positions := 0, 0, 0
			kld, their := 0.0, 0.0 // summed
			for i := 0; i < len(set.Queries); i += *everyQuery {
				q := set.Queries[i]
				p, reference := probingOf(t, open(t, name), q.Prompt), probingOf(t, open(t, "mini-teacher"), q.Prompt)
				answers, candidates := q.Answers(), set.Candidates(q)
				texts := spaced(append(slices.Clip(answers), candidates...))
				reply := reference.greedy(t, 16)
				theirs := other.ask(t, q.Prompt, texts, reply)
				ours := probed(t, open(t, name), q.Prompt, texts...)
				compareForms(t, q.ID, ours, theirs)
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
					if math.Abs(d[j].KLD-theirs.KLD[j]) > max(0.01, 0.05*theirs.KLD[j]) {
						t.Errorf("%s, token %d: kld %v, llama.cpp %v", q.ID, j, d[j].KLD, theirs.KLD[j])
					}
					kld, their = kld+d[j].KLD, their+theirs.KLD[j]
				}
				positions += len(d)
			}
			t.Logf("%d texts, %d choices, %d positions", forms, choices, positions)
			if math.Abs(kld-their) > max(0.01, 0.01*their) {
				t.Errorf("kld %v in all, llama.cpp %v", kld, their)
			}
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

func compareForms(t *testing.T, query string, ours []likelihood.Form, theirs secondOpinion) {
	t.Helper()
	for i, f := range ours {
		o := theirs.Forms[i]
		lo, _ := f.Bits()
		if len(f.Steps) != len(o.Tokens) || !f.Exact() || !close(lo, o.Bits) {
			t.Errorf("%s, %q: %v bits in %d tokens, llama.cpp %v in %d (%s)", query, f.Text, lo, len(f.Steps), o.Bits, len(o.Tokens), f.Reason)
			continue
		}
		for j, s := range f.Steps {
			if s.ID != int(o.Tokens[j]) || s.Rank != o.Ranks[j] && !o.Near[j] {
				t.Errorf("%s, %q, token %d: %d of rank %d, llama.cpp %d of %d", query, f.Text, j, s.ID, s.Rank, o.Tokens[j], o.Ranks[j])
			}
		}
	}
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
