package text

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

var oddTexts = []string{
	"", "Paris", "The capital of France is Paris.", "U.S.'s 1,000,000.5 C++'s", "\xff\xfe\x00", "\u0301", "a\u0301",
	"İΣ' \u212a", "\x1c\x1f the \x85", "\u200fParis\u200f", "...,,,'''", "ﷺ", "ΐß", "가각\u1100\u1161",
}

func FuzzLCS(f *testing.F) {
	f.Add([]byte("abcabba"), []byte("cbabac"))
	f.Add(bytes.Repeat([]byte("ab"), 100), bytes.Repeat([]byte("ba"), 90))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if len(a) > 2000 || len(b) > 2000 {
			return
		}
		var lcs blocks
		got := lcs.length(numbers(a), numbers(b), 256)
		if want := plainLCS(a, b); got != want {
			t.Errorf("%q, %q: %d, want %d", a, b, got, want)
		}
		if again := lcs.length(numbers(b), numbers(a), 256); again != got {
			t.Errorf("%q, %q: %d one way, %d the other", a, b, got, again)
		}
	})
}

func numbers(a []byte) []int32 {
	list := make([]int32, len(a))
	for i, c := range a {
		list[i] = int32(c)
	}
	return list
}

func plainLCS(a, b []byte) int {
	row := make([]int, len(b)+1)
	for _, x := range a {
		diagonal := 0
		for j, y := range b {
			above := row[j+1]
			if x == y {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(above, row[j])
			}
			diagonal = above
		}
	}
	return row[len(b)]
}

func FuzzRouge(f *testing.F) {
	for _, a := range oddTexts {
		f.Add(a, "The capital of France is Paris, not Lyon")
		f.Add(a, a)
	}
	var s Scorer
	f.Fuzz(func(t *testing.T, a, b string) {
		r := s.Rouge(a, b)
		for _, x := range []float64{r.Precision, r.Recall, r.F1} {
			if !(x >= 0 && x <= 1) {
				t.Errorf("%q, %q: %+v out of range", a, b, r)
			}
		}
		if back := s.Rouge(b, a); back.F1 != r.F1 {
			t.Errorf("%q, %q: F1 %v one way, %v the other", a, b, r.F1, back.F1)
		}
		if same := s.Rouge(a, a); same.Reference > 0 && same.F1 != 1 {
			t.Errorf("%q with itself: %+v", a, same)
		}
		if shared, ok := s.Align(a, b); ok && len(shared) != r.LCS {
			t.Errorf("%q, %q: %d aligned, LCS %d", a, b, len(shared), r.LCS)
		}
	})
}

func FuzzKeyword(f *testing.F) {
	for _, a := range oddTexts {
		f.Add(a, "The capital of France is Paris, not Lyon")
		f.Add(a, a)
	}
	var s Scorer
	var words Words
	f.Fuzz(func(t *testing.T, keyword, text string) {
		checkWords(t, text)
		words.Reset(text)
		m := s.Keyword(keyword, nil, text, &words)
		if m.Found && (m.Start < 0 || m.Start >= m.End || m.End > len(text)) {
			t.Errorf("%q in %q: offsets %d to %d", keyword, text, m.Start, m.End)
		}
		if m.Found && !m.Searchable {
			t.Errorf("%q in %q: found without a word", keyword, text)
		}
		words.Reset(keyword)
		if same := s.Keyword(keyword, nil, keyword, &words); same.Searchable && !same.Found {
			t.Errorf("%q does not match itself", keyword)
		}
		Nearest(keyword, nil, &words)
	})
}

func checkWords(t *testing.T, text string) {
	var w Words
	w.Reset(text)
	last := 0
	for i := range w.Len() {
		start, end := w.Offsets(i)
		if start >= end || end > len(text) || start < last && i > 0 && !utf8.ValidString(text) {
			t.Errorf("%q: word %d is at %d to %d, after %d", text, i, start, end, last)
		}
		last = start
		if len(w.At(i)) == 0 || bytes.ContainsAny(w.At(i), " ") {
			t.Errorf("%q: word %q", text, w.At(i))
		}
	}
}

func FuzzStrict(f *testing.F) {
	for _, a := range oddTexts {
		f.Add(a, "The capital of France is Paris, not Lyon")
	}
	var s Scorer
	f.Fuzz(func(t *testing.T, a, b string) {
		if !s.Strict(a, nil, a) {
			t.Errorf("%q does not match itself", a)
		}
		if s.Strict(a, nil, b) != s.Strict(b, nil, a) {
			t.Errorf("%q, %q: not symmetric", a, b)
		}
		if n := NormalizeAnswer(a); strings.TrimSpace(n) != n {
			t.Errorf("%q: normalised %q has white space at an end", a, n)
		}
	})
}
