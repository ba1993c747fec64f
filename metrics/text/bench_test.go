package text

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// prose returns n words of the lengths of English.
func prose(n int, seed uint64) string {
	random := rand.New(rand.NewPCG(seed, 1))
	vocabulary := strings.Fields(`the of and capital city is in located France Paris Lyon southern province largest river
		mountain world tallest northwest corner village population government established century president university
		which that was known important between international development, American. first; people during world`)
	list := make([]string, n)
	for i := range list {
		list[i] = vocabulary[random.IntN(len(vocabulary))]
	}
	return strings.Join(list, " ")
}

// Google's rouge_score on a machine of this kind: 4,800 pairs/s.
func BenchmarkRouge3x200(b *testing.B) { benchmarkRouge(b, "the capital Paris", prose(200, 1)) }

// Google's rouge_score on a machine of this kind: 166 pairs/s.
func BenchmarkRouge200x200(b *testing.B) { benchmarkRouge(b, prose(200, 1), prose(200, 2)) }

func benchmarkRouge(b *testing.B, reference, text string) {
	var s Scorer
	b.ReportAllocs()
	for b.Loop() {
		s.Rouge(reference, text)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pairs/s")
}

func BenchmarkKeyword(b *testing.B) {
	var s Scorer
	var words Words
	text := prose(200, 1)
	b.ReportAllocs()
	for b.Loop() {
		words.Reset(text)
		s.Keyword("Mount Everest", []string{"Everest"}, text, &words)
	}
}

func BenchmarkStrict(b *testing.B) {
	var s Scorer
	text := prose(200, 1)
	b.ReportAllocs()
	for b.Loop() {
		s.Strict("Mount Everest", []string{"Everest"}, text)
	}
}

func BenchmarkWordsCyrillic(b *testing.B) {
	var words Words
	text := strings.Repeat("Столица Франции — Париж. ", 50)
	b.ReportAllocs()
	for b.Loop() {
		words.Reset(text)
	}
}

func TestNoAllocation(t *testing.T) {
	var s Scorer
	var words Words
	reference, text := prose(200, 1), prose(200, 2)+" Straße"
	allocations := testing.AllocsPerRun(100, func() {
		s.Rouge(reference, text)
		words.Reset(text)
		s.Keyword("the Straße", nil, text, &words)
		s.Strict("Straße", nil, text)
	})
	if allocations != 0 {
		t.Errorf("%v allocations a pair, want 0", allocations)
	}
}

func BenchmarkTokens(b *testing.B) {
	var t tokens
	text := prose(200, 1)
	for b.Loop() {
		t.reset(text)
	}
	b.SetBytes(int64(len(text)))
}
