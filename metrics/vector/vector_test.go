package vector

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

func bag(text string) *Bag {
	var b Bag
	for _, word := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !('a' <= r && r <= 'z' || '0' <= r && r <= '9') }) {
		b.Add([]byte(word))
	}
	return &b
}

// auc is the probability that a right score is above a wrong one.
func auc(right, wrong []float64) float64 {
	above := 0.0
	for _, r := range right {
		for _, w := range wrong {
			switch cmp.Compare(r, w) {
			case 1:
				above++
			case 0:
				above += 0.5
			}
		}
	}
	return above / float64(len(right)*len(wrong))
}

func TestSeparation(t *testing.T) {
	data, err := os.ReadFile("testdata/separation.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var cosines, bests [2][]float64
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		part := strings.Split(line, "\t")
		for i := range 2 {
			c, ok := Cosine(bag(part[0]), bag(part[1+i]))
			best, alsoOK := Best(bag(part[0]), bag(part[1+i]))
			if !ok || !alsoOK {
				t.Errorf("%q: no cosine", line)
			}
			cosines[i], bests[i] = append(cosines[i], c), append(bests[i], best.Cosine)
		}
	}
	t.Logf("%d items: AUC of cosine %.3f, of cosine_best %.3f", len(cosines[0]), auc(cosines[0], cosines[1]), auc(bests[0], bests[1]))
	if got := auc(cosines[0], cosines[1]); got < 0.94 {
		t.Errorf("cosine: AUC %.4f, want at least 0.94", got)
	}
	if got := auc(bests[0], bests[1]); got < 0.96 {
		t.Errorf("cosine_best: AUC %.4f, want at least 0.96", got)
	}
}

func TestCosine(t *testing.T) {
	for _, test := range []struct {
		a, b     string
		low, top float64
	}{
		{"Paris", "paris", 1, 1},
		{"The capital of France is Paris.", "the capital of France is Paris", 1, 1},
		{"The dog chased the cat.", "A canine pursued a feline.", 0.4, 1},
		{"Paris", "The committee met on Monday.", -0.3, 0.3},
	} {
		got, ok := Cosine(bag(test.a), bag(test.b))
		if !ok || got < test.low-1e-12 || got > test.top {
			t.Errorf("%q, %q: cosine %v, %v; want %v to %v", test.a, test.b, got, ok, test.low, test.top)
		}
		if back, _ := Cosine(bag(test.b), bag(test.a)); back != got {
			t.Errorf("%q, %q: %v one way, %v the other", test.a, test.b, got, back)
		}
	}
}

func TestReason(t *testing.T) {
	for text, want := range map[string]string{
		"": "no words", "1969 8849": "no vector for any word", "The Who": "only stop words", "the 1969": "no vector for any word", "Paris 1969": "",
	} {
		b := bag(text)
		if got := b.Reason(); got != want {
			t.Errorf("%q: reason %q, want %q", text, got, want)
		}
		if _, ok := Cosine(b, bag("Paris")); ok != (want == "") {
			t.Errorf("%q: cosine is %v", text, ok)
		}
		if _, ok := Best(b, bag("Paris")); ok != (want == "") {
			t.Errorf("%q: best is %v", text, ok)
		}
	}
	if b := bag("in 1969 Paris qqqqzz"); !slices.Equal(b.Missing(), []int32{1, 3}) {
		t.Errorf("missing %v, want 1 and 3", b.Missing())
	}
}

// TestBestReference compares the running sums with windows added up afresh.
func TestBestReference(t *testing.T) {
	text := strings.Fields("the tallest mountain in the world is mount everest which is located in nepal near the village of kahuna 8849 metres above sea level")
	for _, reference := range []string{"Everest", "Mount Everest", "the Everest", "a mountain in Nepal", "8849 metres", strings.Repeat("mountain ", 40)} {
		got, ok := Best(bag(reference), bag(strings.Join(text, " ")))
		if !ok {
			t.Fatalf("%q: no window", reference)
		}
		width := min(len(strings.Fields(reference)), len(text))
		want := Window{Cosine: math.Inf(-1)}
		for i := 0; i+width <= len(text); i++ {
			if c, ok := Cosine(bag(reference), bag(strings.Join(text[i:i+width], " "))); ok && c > want.Cosine+1e-12 {
				want = Window{c, i, i + width - 1}
			}
		}
		if math.Abs(got.Cosine-want.Cosine) > 1e-12 || got.First != want.First || got.Last != want.Last {
			t.Errorf("%q: best %+v, want %+v", reference, got, want)
		}
	}
}

// TestBestIsExact finds the reference itself, however far the window has come.
func TestBestIsExact(t *testing.T) {
	text := strings.Repeat("tallest mountain world village kahuna ", 50)
	if best, ok := Best(bag("mount everest nepal"), bag(text+"mount everest nepal "+text)); !ok || best != (Window{1, 250, 252}) {
		t.Errorf("best %+v, %v; want exactly 1 at the words 250 to 252", best, ok)
	}
}

// TestBestPartOfName finds a name's known part, whatever stands beside it.
func TestBestPartOfName(t *testing.T) {
	reference := bag("Albert Einstein")
	alone, _ := Cosine(reference, bag("Einstein"))
	if best, ok := Best(reference, bag("It was Einstein who developed relativity")); !ok || math.Abs(best.Cosine-alone) > 1e-12 {
		t.Errorf("best %+v, want the cosine of Einstein alone, %v", best, alone)
	}
}

// TestFloorReference compares the sums with the n² loop they stand for.
func TestFloorReference(t *testing.T) {
	texts := []string{"Paris is nice", "Mount Everest", "oxygen and hydrogen", "a river flows", "Shakespeare"}
	var floor Floor
	want, pairs := 0.0, 0.0
	for i := range texts {
		floor.Add(bag(texts[i]).Direction(), bag(texts[(i+1)%len(texts)]).Direction())
		for j := range texts {
			if i != j {
				c, _ := Cosine(bag(texts[i]), bag(texts[(j+1)%len(texts)]))
				want += c
				pairs++
			}
		}
	}
	got, ok := floor.Value()
	if !ok || math.Abs(got-want/pairs) > 1e-12 {
		t.Errorf("floor %v, %v; want %v", got, ok, want/pairs)
	}
}

func TestFloorEdges(t *testing.T) {
	var f Floor
	if _, ok := f.Value(); ok {
		t.Error("a floor of no reply")
	}
	if f.Add([]float64{0, 0}, []float64{1, 0}) || f.Add([]float64{1}, []float64{1, 0}) || f.Add([]float64{math.NaN(), 1}, []float64{1, 0}) {
		t.Error("a pair without direction was added")
	}
	f.Add([]float64{2, 0}, []float64{1, 0})
	if _, ok := f.Value(); ok {
		t.Error("a floor of one reply")
	}
	f.Add([]float64{0, 3}, []float64{0, 1})
	if got, ok := f.Value(); !ok || got != 0 {
		t.Errorf("floor %v, %v; want 0", got, ok)
	}
}

// TestTable finds every word of the table again, and checks that it has a
// vector.
func TestTable(t *testing.T) {
	if wordCount < 60_000 {
		t.Fatalf("%d words, want at least 60,000", wordCount)
	}
	for i := range int32(wordCount) {
		if got := lookup([]byte(spelled(i))); got != i {
			t.Fatalf("%q is at %d, found at %d", spelled(i), i, got)
		}
		var sum [Dimensions]float64
		addScaled(&sum, i, 1)
		if squares := dot(&sum, &sum); !(squares > 0.01 && squares < 10_000) {
			t.Fatalf("%q has squared length %v", spelled(i), squares)
		}
	}
	for _, word := range []string{"", "1969", "qqqqzz", "\xff"} {
		if got := lookup([]byte(word)); got != -1 {
			t.Errorf("%q is at %d", word, got)
		}
	}
}

// TestHash holds the data to what NOTICE says of its origin.
func TestHash(t *testing.T) {
	sum := sha256.Sum256([]byte(vectors))
	if got := hex.EncodeToString(sum[:]); got != vectorsSHA256 {
		t.Errorf("sha256 of vectors.bin is %s, want %s: after make generate, state the new one here and in NOTICE", got, vectorsSHA256)
	}
}

const vectorsSHA256 = "26bd72cd807923a794a799558ca0806ce63fdc7248d1a52e31491bbfc521c7f5"

func FuzzBag(f *testing.F) {
	f.Add("Paris is in France", "the Seine")
	f.Add("1969", "")
	f.Add("paris paris paris", "paris")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := bag(a), bag(b)
		if c, ok := Cosine(x, y); ok && !(c >= -1 && c <= 1) {
			t.Errorf("%q, %q: cosine %v", a, b, c)
		}
		if w, ok := Best(x, y); ok && !(w.Cosine >= -1 && w.Cosine <= 1 && w.First <= w.Last) {
			t.Errorf("%q, %q: best %+v", a, b, w)
		}
		if c, ok := Cosine(x, x); ok && c != 1 {
			t.Errorf("%q with itself: cosine %v", a, c)
		}
		if w, ok := Best(x, x); ok && w.Cosine != 1 {
			t.Errorf("%q with itself: best %v", a, w.Cosine)
		}
	})
}

// A reply of 40 words against a reference of two.
func BenchmarkBest(b *testing.B) {
	reference := bag("Mount Everest")
	words := strings.Fields(strings.Repeat("the tallest mountain in the world is located in the northwest corner of village called kahuna ", 3))
	var reply Bag
	b.ReportAllocs()
	for b.Loop() {
		reply.Reset()
		for _, w := range words[:40] {
			var buffer [32]byte
			reply.Add(append(buffer[:0], w...))
		}
		Cosine(reference, &reply)
		Best(reference, &reply)
	}
}
