package text

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"
)

// Scorer compares texts. It owns the scratch memory, so that comparing
// allocates nothing in the steady state; it must not be used by two goroutines
// at once. The zero value is ready.
type Scorer struct {
	answer         Words
	folded         [2]python
	rouge          [2]tokens
	interned       table
	pattern, match []int32
	lcs            blocks
	longest        []int32 // Align's table
}

// Match is what em and em_substring see. Offsets are bytes of the text.
type Match struct {
	Searchable bool   // whether any answer holds a word; otherwise em is Unscored
	Found      bool   // em: an answer stands in the text as a run of whole words
	Answer     string // the answer found first in the order given; empty without one
	Word       int    // index of the first matched word
	Words      int    // number of matched words
	Start, End int    // the bytes of the text that matched
	Unbounded  bool   // the match begins or ends with a character of a script without spaces, so that no boundary of words tells whether it is a whole word
	Negated    string // the negation within three words before an answer found, normalised; empty without one

	SubstringSearchable bool // whether any answer is not empty; otherwise em_substring is Unscored
	Substring           bool // em_substring: an answer is a substring, letter case aside
}

// Disagrees says whether em and em_substring come to different results.
func (m Match) Disagrees() bool {
	return m.Searchable && m.SubstringSearchable && m.Found != m.Substring
}

// Keyword looks for the keyword or an alias in text, whose words the caller
// has cut. An answer that holds no word is passed over.
func (s *Scorer) Keyword(keyword string, aliases []string, text string, words *Words) Match {
	var m Match
	s.folded[1].lower(text)
	for i := -1; i < len(aliases); i++ {
		answer := keyword
		if i >= 0 {
			answer = aliases[i]
		}
		s.findWords(&m, answer, words)
		if answer != "" && !m.Substring {
			s.folded[0].lower(answer)
			m.Substring = bytes.Contains(s.folded[1].text, s.folded[0].text)
		}
		m.SubstringSearchable = m.SubstringSearchable || answer != ""
	}
	return m
}

// findWords notes the first occurrence of the first answer found, and the
// first negation before any occurrence of any answer.
func (s *Scorer) findWords(m *Match, answer string, words *Words) {
	s.answer.Reset(answer)
	pattern := s.answer.keyword()
	if pattern == nil {
		return
	}
	m.Searchable = true
	for from := 0; ; {
		first, last, ok := words.find(&s.answer, pattern, from)
		if !ok {
			return
		}
		if !m.Found {
			m.Found, m.Answer, m.Word, m.Words = true, answer, first, last-first+1
			m.Start, _ = words.Offsets(first)
			_, m.End = words.Offsets(last)
			m.Unbounded = (words.spans[first].kind|words.spans[last].kind)&character != 0
		}
		if m.Negated != "" {
			return
		}
		m.Negated = negationBefore(words, first)
		from = last + 1
	}
}

// negationReach is how many words before the keyword a negation is looked for.
const negationReach = 3

func negationBefore(words *Words, at int) string {
	for i := at - 1; i >= max(0, at-negationReach); i-- {
		if negations[string(words.At(i))] {
			return string(words.At(i))
		}
	}
	return ""
}

// negations are normalised, so that isnt is also isn't and isn’t.
var negations = negationSet()

func negationSet() map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(`not never no nor neither none without cannot
		aint arent cant couldnt darent didnt doesnt dont hadnt hasnt havent isnt mightnt
		mustnt neednt oughtnt shant shouldnt wasnt werent wont wouldnt`) {
		set[word] = true
	}
	return set
}

// Strict says whether text is an answer by the exact match of SQuAD v1.1.
func (s *Scorer) Strict(keyword string, aliases []string, text string) bool {
	s.folded[1].normalizeAnswer(text)
	for i := -1; i < len(aliases); i++ {
		answer := keyword
		if i >= 0 {
			answer = aliases[i]
		}
		s.folded[0].normalizeAnswer(answer)
		if bytes.Equal(s.folded[0].text, s.folded[1].text) {
			return true
		}
	}
	return false
}

// NormalizeAnswer returns text as SQuAD v1.1 normalises it before comparing.
func NormalizeAnswer(text string) string {
	var p python
	p.normalizeAnswer(text)
	return string(p.text)
}

// Unseen returns the symbols of an answer that em does not see, because they
// are part of no word: the % of 50%, the $ of $5. Punctuation is none.
func Unseen(answer string) string {
	var w Words
	w.Reset(answer)
	var unseen []rune
	next := 0
	for at, r := range answer {
		for next < w.Len() && w.spans[next].end <= at {
			next++
		}
		within := next < w.Len() && w.spans[next].start <= at
		if !within && (unicode.In(r, unicode.Sc, unicode.Sm, unicode.So) || strings.ContainsRune("%‰@*", r)) {
			unseen = append(unseen, r)
		}
	}
	return string(unseen)
}

// Near is the run of words that comes nearest to an answer that is not there.
type Near struct {
	Answer     string
	Distance   int // single-letter edits between the two, spaces between words included
	Start, End int // bytes of the text
}

// longestNear is the number of letters of an answer beyond which nothing near
// it is looked for.
const longestNear = 1000

// Nearest returns the run of words with the fewest edits to an answer, among
// those that differ in at most a third of the answer's letters; ok is false
// without one. It is for explaining, not for scoring, and allocates.
func Nearest(keyword string, aliases []string, words *Words) (near Near, ok bool) {
	for _, answer := range append([]string{keyword}, aliases...) {
		var a Words
		a.Reset(answer)
		if a.Len() == 0 {
			continue
		}
		skipped := 0 // a leading article
		if len(a.keyword()) < len(a.joined) {
			skipped = 1
		}
		length := a.Len() - skipped
		wanted := a.shown(skipped, length)
		letters := utf8.RuneCountInString(wanted)
		allowed := letters / 3
		if allowed == 0 || letters > longestNear {
			continue
		}
		for i := 0; i+length <= words.Len(); i++ {
			candidate := words.shown(i, length)
			if n := utf8.RuneCountInString(candidate); n > letters+allowed || n+allowed < letters {
				continue
			}
			d := levenshtein.ComputeDistance(wanted, candidate)
			if d > allowed || ok && d >= near.Distance {
				continue
			}
			near, ok = Near{Answer: answer, Distance: d}, true
			near.Start, _ = words.Offsets(i)
			_, near.End = words.Offsets(i + length - 1)
		}
	}
	return near, ok
}

// shown is n words from word i on as people write them.
func (w *Words) shown(i, n int) string {
	return strings.Map(func(r rune) rune {
		if r <= touch {
			return -1
		}
		return r
	}, string(w.joined[w.spans[i].from:w.spans[i+n-1].to]))
}
