package text

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unicode"
)

// fixture calls check with every line of a file that testdata/reference.py wrote.
func fixture(t *testing.T, name string, check func(line []any)) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := 0
	for s := bufio.NewScanner(f); s.Scan(); lines++ {
		var line []any
		if err := json.Unmarshal(s.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		check(line)
	}
	if lines < 1000 {
		t.Fatalf("%s: %d lines, want at least 1000", name, lines)
	}
}

func wordsOf(text string) []string {
	var w Words
	w.Reset(text)
	list := []string{}
	for i := range w.Len() {
		list = append(list, string(w.At(i)))
	}
	return list
}

func TestWordsReference(t *testing.T) {
	fixture(t, "words.jsonl", func(line []any) {
		want := []string{}
		for _, word := range line[1].([]any) {
			want = append(want, word.(string))
		}
		if got := wordsOf(line[0].(string)); !slices.Equal(got, want) {
			t.Errorf("%q: words %q, want %q", line[0], got, want)
		}
	})
}

func TestStrictReference(t *testing.T) {
	fixture(t, "squad.jsonl", func(line []any) {
		if got := NormalizeAnswer(line[0].(string)); got != line[1] {
			t.Errorf("%q: normalised %q, want %q", line[0], got, line[1])
		}
	})
}

func TestRougeReference(t *testing.T) {
	var s Scorer
	fixture(t, "rouge.jsonl", func(line []any) {
		r := s.Rouge(line[0].(string), line[1].(string))
		for i, got := range []float64{r.Precision, r.Recall, r.F1} {
			if want := line[2+i].(float64); math.Abs(got-want) > 1e-12 {
				t.Errorf("%q, %q: figure %d is %v, want %v", line[0], line[1], i, got, want)
			}
		}
	})
}

// TestUnicodeReference compares the properties that the three tokenisers rest
// on with Python's, over every code point that Python's Unicode knows.
func TestUnicodeReference(t *testing.T) {
	data, err := os.ReadFile("testdata/unicode.json")
	if err != nil {
		t.Fatal(err)
	}
	var u struct {
		Assigned, Space, Word, Cased, Marks [][2]rune
		SigmaAfter                          [][2]rune `json:"sigma_after"`
		Lower, Letters                      [][2]any
	}
	if err := json.Unmarshal(data, &u); err != nil {
		t.Fatal(err)
	}
	lower, letters := mapping(u.Lower), mapping(u.Letters)
	var p python
	var w Words
	for _, r := range u.Assigned {
		for c := r[0]; c <= r[1]; c++ {
			p.lower(string(c))
			if got, want := string(p.text), orSelf(lower, c); got != want {
				t.Errorf("%U: lower %q, want %q", c, got, want)
			}
			w.runes = w.runes[:0]
			w.normalise(string(c), 0)
			if got, want := runesOf(w.runes), orSelf(letters, c); got != want && !unicode.In(c, unicode.Cherokee, unicode.Hangul, unicode.Han) {
				t.Errorf("%U: normalised %q, want %q", c, got, want)
			}
			// Marks for chanting go by their script, which Python does not know.
			if chanted := unicode.In(c, unicode.Inherited) || c == 0x1ce1 || c == 0x1cf7 || c == 0x302e || c == 0x302f || c >= 0xa8e0; unicode.Is(unicode.M, c) && (c < 0x900 || !chanted) {
				w.runes = w.runes[:0]
				w.normalise("a", 0)
				w.normalise(string(c), 0)
				compare(t, c, "part of a letter", len(w.runes) > 1, u.Marks)
			}
			compare(t, c, "white space", isPythonSpace(c), u.Space)
			if c >= 0x80 {
				compare(t, c, "word", isPythonWord(c), u.Word)
			}
			compare(t, c, "cased", cased(c) && !caseIgnorable(c), u.Cased)
			compare(t, c, "final sigma", cased(c) || caseIgnorable(c), u.SigmaAfter)
		}
	}
}

func mapping(pairs [][2]any) map[rune]string {
	m := map[rune]string{}
	for _, p := range pairs {
		m[rune(p[0].(float64))] = p[1].(string)
	}
	return m
}

func orSelf(m map[rune]string, c rune) string {
	if s, ok := m[c]; ok {
		return s
	}
	return string(c)
}

func runesOf(list []sourced) string {
	s := ""
	for _, r := range list {
		s += string(r.r)
	}
	return s
}

func compare(t *testing.T, c rune, what string, got bool, ranges [][2]rune) {
	t.Helper()
	_, want := slices.BinarySearchFunc(ranges, c, func(r [2]rune, c rune) int {
		switch {
		case r[1] < c:
			return -1
		case r[0] > c:
			return 1
		}
		return 0
	})
	if got != want {
		t.Errorf("%U (%q): %s is %v, want %v", c, c, what, got, want)
	}
}

func TestKeyword(t *testing.T) {
	for _, test := range []struct {
		name, keyword string
		aliases       []string
		text          string
		em, substring bool
		negated       string
	}{
		{"card, Lyon", "Paris", nil, "The capital of France is located in the southern province of Lyon, France. It is the largest city. A major part of the French capital is in the southern city of Paris.", true, true, ""},
		{"card, Everest", "Mount Everest", []string{"Everest"}, "The tallest mountain in the world is Mount Everest, which is located in the northwest corner of the village of Kahuna", true, true, ""},
		{"card, Paris", "Paris", nil, "The capital of France is Paris.", true, true, ""},
		{"possessive", "Paris", nil, "Paris's river", true, true, ""},
		{"possessive of the keyword", "Hadrian's Wall", nil, "it is Hadrian’s wall", true, false, ""},
		{"no stemming", "Paris", nil, "a Parisian", false, true, ""},
		{"inside a word", "art", nil, "the heart", false, true, ""},
		{"initials", "U.S.", nil, "in the US of old", true, false, ""},
		{"initials in the text", "JK Rowling", nil, "by J.K. Rowling.", true, false, ""},
		{"digits", "1000", nil, "about 1,000 miles", true, false, ""},
		{"digits not grouped", "1000", nil, "1,00,0", false, false, ""},
		{"decimal", "3", nil, "3.14", false, true, ""},
		{"sign", "C", nil, "written in C++", false, true, ""},
		{"sign, whole", "C++", nil, "written in c++.", true, true, ""},
		{"sign, possessive", "C++ compiler", nil, "a C++’s compiler", true, false, ""},
		{"article optional", "The Beatles", nil, "Beatles", true, false, ""},
		{"article alone", "A", nil, "vitamin A", true, true, ""},
		{"alias", "Istanbul", []string{"", "Constantinople"}, "once Constantinople", true, true, ""},
		{"diacritics", "São Paulo", nil, "Sao Paulo", true, false, ""},
		{"fullwidth", "Paris", nil, "Ｐａｒｉｓ", true, false, ""},
		{"sharp s", "Strasse", nil, "eine Straße", true, false, ""},
		{"Cherokee folds to capitals", "\u13a0\u13f0", nil, "\uab70\u13f8", true, true, ""},
		{"negation", "Paris", nil, "It is not Paris", true, true, "not"},
		{"negation, short form", "Paris", nil, "It isn’t in Paris", true, true, "isnt"},
		{"negation, three words", "Paris", nil, "not at all Paris", true, true, "not"},
		{"negation, four words", "Paris", nil, "not at all in Paris", true, true, ""},
		{"negation of a later one", "Paris", nil, "Paris is in France and so is not Paris", true, true, "not"},
		{"negation after", "Paris", nil, "Paris is not", true, true, ""},
		{"order", "New York", nil, "York New", false, false, ""},
		{"across punctuation", "New York", nil, "new, york", true, false, ""},
		{"invalid UTF-8", "Paris", nil, "\xff\xc4Paris\xe2\x84", true, true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var s Scorer
			var words Words
			words.Reset(test.text)
			m := s.Keyword(test.keyword, test.aliases, test.text, &words)
			if m.Found != test.em || m.Substring != test.substring || m.Negated != test.negated {
				t.Errorf("em %v, substring %v, negated %q; want %v, %v, %q", m.Found, m.Substring, m.Negated, test.em, test.substring, test.negated)
			}
			if m.Disagrees() != (test.em != test.substring) {
				t.Errorf("disagrees %v", m.Disagrees())
			}
		})
	}
}

func TestKeywordOffsets(t *testing.T) {
	text := "«Ｐａｒｉｓ’s» or New  York's U.S. office"
	var s Scorer
	var words Words
	words.Reset(text)
	for keyword, want := range map[string]string{"paris": "Ｐａｒｉｓ", "New York": "New  York", "us": "U.S"} {
		m := s.Keyword(keyword, nil, text, &words)
		if got := text[m.Start:m.End]; got != want {
			t.Errorf("%q matched %q, want %q", keyword, got, want)
		}
	}
}

func TestKeywordWithoutWords(t *testing.T) {
	var s Scorer
	var words Words
	words.Reset("anything")
	for _, keyword := range []string{"", "...", " \u0301", "\x00"} {
		if m := s.Keyword(keyword, nil, "anything", &words); m.Searchable || m.Found || m.Disagrees() {
			t.Errorf("%q: %+v, want not searchable", keyword, m)
		}
	}
}

func TestNearest(t *testing.T) {
	var words Words
	text := "the capital is Pariss, on the Sein"
	words.Reset(text)
	near, ok := Nearest("Paris", []string{"Seine"}, &words)
	if !ok || near.Distance != 1 || text[near.Start:near.End] != "Pariss" {
		t.Errorf("near %+v, %v", near, ok)
	}
	words.Reset("столица — Парижск")
	if near, ok := Nearest("Париж", nil, &words); ok {
		t.Errorf("near %+v, want none: two of five letters are more than a third", near)
	}
	words.Reset("столица — Парижа")
	if near, ok := Nearest("Париж", nil, &words); !ok || near.Distance != 1 {
		t.Errorf("near %+v, %v, want one letter apart", near, ok)
	}
	if near, ok := Nearest("Quito", nil, &words); ok {
		t.Errorf("near %+v, want none", near)
	}
}

func TestRougeIdentity(t *testing.T) {
	var s Scorer
	if r := s.Rouge("The cat", "the CAT!"); r.F1 != 1 || r.Precision != 1 || r.Recall != 1 {
		t.Errorf("%+v, want 1", r)
	}
	if r := s.Rouge("...", "the cat"); r != (Rouge{Text: 2}) {
		t.Errorf("%+v, want zeros", r)
	}
	if r := s.Rouge("The dog chased the cat.", "A canine pursued a feline."); r.F1 != 0 {
		t.Errorf("%+v, want 0", r)
	}
	// Tokens whose last eight bytes agree are still different tokens.
	if r := s.Rouge("organization", "prganization"); r.LCS != 0 {
		t.Errorf("%+v, want no common token", r)
	}
}

func TestAlign(t *testing.T) {
	var s Scorer
	reference, text := "the İstanbul \u212aelvin cat sat", "A KELVIN, stanbul cat; sat"
	shared, ok := s.Align(reference, text)
	if !ok || len(shared) != s.Rouge(reference, text).LCS {
		t.Fatalf("shared %v, %v", shared, ok)
	}
	got := []string{}
	for _, m := range shared {
		got = append(got, reference[m.ReferenceStart:m.ReferenceEnd]+"="+text[m.TextStart:m.TextEnd])
	}
	if want := []string{"\u212aelvin=KELVIN", "cat=cat", "sat=sat"}; !slices.Equal(got, want) {
		t.Errorf("shared %q, want %q", got, want)
	}
}

func TestFoldedWordsAreClean(t *testing.T) {
	for c := rune(0); c <= unicode.MaxRune; c++ {
		for _, word := range wordsOf(string(c)) {
			if word == "" {
				t.Errorf("%U: an empty word", c)
			}
		}
	}
}
