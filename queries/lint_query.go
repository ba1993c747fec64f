package queries

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxAnswerWords is the length above which a completion is no short answer.
const maxAnswerWords = 4

// fields checks each field of one query by itself.
func (c *check) fields(i int) {
	q := c.set.Queries[i]
	named := []struct{ name, value string }{
		{"id", q.ID}, {"prompt", q.Prompt}, {"keyword", q.Keyword},
		{"category", q.Category}, {"difficulty", q.Difficulty}, {"as_of", q.AsOf},
	}
	for _, f := range named[:3] {
		if strings.TrimSpace(f.value) == "" {
			c.fault(i, RuleEmpty, "%s is empty", f.name)
		}
	}
	for _, a := range q.Aliases {
		if strings.TrimSpace(a) == "" {
			c.fault(i, RuleEmpty, "an alias is empty")
		}
		named = append(named, struct{ name, value string }{"alias", a})
	}
	if q.Reference != q.Keyword {
		named = append(named, struct{ name, value string }{"reference", q.Reference})
	}
	for _, f := range named {
		if what := untidy(f.value, f.name == "prompt"); what != "" {
			c.warn(i, RuleUntidy, "%s %q has %s", f.name, short(f.value), what)
		}
	}
	if q.Difficulty != "" && !slices.Contains([]string{"easy", "medium", "hard"}, q.Difficulty) {
		c.warn(i, RuleDifficulty, "difficulty %q is none of easy, medium and hard", short(q.Difficulty))
	}
	if _, err := time.Parse(time.DateOnly, q.AsOf); q.AsOf != "" && err != nil {
		c.warn(i, RuleAsOf, "as_of %q is no date such as 2025-01-31", short(q.AsOf))
	}
}

// untidy says what is not as people write it. A prompt may have lines.
func untidy(s string, lines bool) string {
	for _, r := range s {
		if lines && (r == '\n' || r == '\t') {
			continue
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return "a control or invisible character"
		}
	}
	if s != strings.TrimSpace(s) {
		return "white space at an end"
	}
	if strings.Contains(s, "  ") {
		return "two spaces in a row"
	}
	return ""
}

// answers checks the keyword and the aliases of one query against its prompt
// and against each other.
func (c *check) answers(i int) {
	q := c.set.Queries[i]
	seen := map[string]bool{}
	for k, words := range c.answer[i] {
		text, key := q.Answers()[k], phrase(words)
		if len(words) == 0 {
			if strings.TrimSpace(text) != "" {
				c.warn(i, RuleUnscorable, "%q has no letter or digit, so em can never find it", short(text))
			}
			continue
		}
		common := !slices.ContainsFunc(words, func(w string) bool { return !common(w) })
		if !c.leak(i, text, words) && !common && hidden(c.asked[i], words) {
			c.warn(i, RuleHidden, "the prompt holds its own answer %q inside a longer word, or joined or parted otherwise", short(text))
		}
		if seen[key] {
			c.warn(i, RuleRedundant, "alias %q adds nothing: its words are those of the keyword or of another alias", short(text))
		}
		seen[key] = true
		if n := length(words); n > maxAnswerWords {
			c.warn(i, RuleLong, "answer %q has %d words; more than %d are seldom repeated to the letter", short(text), n, maxAnswerWords)
		}
		if symbols := c.unseen(text); symbols != "" {
			c.warn(i, RuleUnseen, "em looks for %q in answer %q and does not see %s: a reply without it counts too", strings.TrimSpace(key), short(text), symbols)
		}
		if slices.ContainsFunc(words, func(w string) bool { return isUnspaced(firstRune(w)) }) {
			c.warn(i, RuleBoundary, "em finds %q wherever its characters stand, because its script does not part words: inside a longer word too. Such replies are flagged no_word_boundary", short(text))
		}
		if common {
			c.warn(i, RuleCommon, "answer %q is so short or so common that a wrong reply may hold it", short(text))
		}
	}
	c.reference(i)
}

// leak reports an answer that stands in its own prompt, and says whether it does.
func (c *check) leak(i int, text string, words []string) bool {
	key := phrase(words)
	switch {
	case key == "":
		return false
	case strings.Contains(phrase(c.asked[i]), key):
		c.fault(i, RuleLeak, "the prompt holds its own answer %q", short(text))
	case strings.Contains(phrase(c.shown[i]), key):
		c.warn(i, RuleExample, "the lines above the question hold its answer %q, which a model may copy", short(text))
	default:
		return false
	}
	return true
}

func (c *check) unseen(answer string) string {
	if c.Unseen == nil {
		return ""
	}
	return c.Unseen(answer)
}

// splitPrompt parts a prompt into its question and the lines above, which are
// worked examples or a passage. The question is the last line that is no mere
// label, such as A: or Answer:, and what follows it.
func splitPrompt(prompt string) (above, question string) {
	end := len(prompt)
	for {
		at := strings.LastIndexByte(prompt[:end], '\n')
		line := strings.TrimSpace(prompt[at+1 : end])
		if at < 0 {
			return "", prompt
		}
		if line != "" && !(strings.HasSuffix(line, ":") && len(strings.Fields(line)) <= maxLabelWords) {
			return prompt[:at], prompt[at+1:]
		}
		end = at
	}
}

// maxLabelWords is the length above which a line that ends in a colon is no
// label.
const maxLabelWords = 3

// reference checks what ROUGE-L and cosine compare with: the keyword, unless
// the query states another text.
func (c *check) reference(i int) {
	q := c.set.Queries[i]
	name, text := "keyword", q.Keyword
	if strings.TrimSpace(q.Reference) != "" && q.Reference != q.Keyword {
		name, text = "reference", q.Reference
	}
	if c.Unscorable == nil || strings.TrimSpace(text) == "" {
		return
	}
	for _, reason := range c.Unscorable(text) {
		c.warn(i, RuleUnscorable, "%s %q: %s", name, short(text), reason)
	}
}

// hidden says whether the words of an answer stand in those of its prompt as
// mere letters (Paris in Parisian) or with other breaks (Moby-Dick, MobyDick).
func hidden(prompt, answer []string) bool {
	if len(answer) > maxInnerWords {
		return false
	}
	if strings.Contains(strings.Join(prompt, " "), strings.Join(answer, " ")) {
		return true
	}
	joined := strings.Join(answer, "")
	for from := range prompt {
		rest := joined
		for to := from; to < len(prompt) && to < from+maxInnerWords; to++ {
			var same bool
			if rest, same = strings.CutPrefix(rest, prompt[to]); !same {
				break
			}
			if rest == "" {
				return true
			}
		}
	}
	return false
}

func common(word string) bool {
	if r, size := utf8.DecodeRuneInString(word); size == len(word) && unicode.IsLetter(r) && !isUnspaced(r) {
		return true
	}
	return commonWords()[word]
}

// isUnspaced says whether r is of a script that puts no spaces between words,
// or puts particles on them, so that each character is a word to em.
func isUnspaced(r rune) bool {
	return r == 'ー' || unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Bopomofo, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar, unicode.Hangul)
}

func firstRune(word string) rune {
	r, _ := utf8.DecodeRuneInString(word)
	return r
}

// length is the number of words as people count them: characters of a script
// without spaces that follow each other are one.
func length(words []string) (n int) {
	before := false
	for _, w := range words {
		unspaced := isUnspaced(firstRune(w))
		if !unspaced || !before {
			n++
		}
		before = unspaced
	}
	return n
}

// phrase joins words so that strings.Contains finds only whole words.
func phrase(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return " " + strings.Join(words, " ") + " "
}
