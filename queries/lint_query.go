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
		{"id", q.ID}, {"prompt", q.Prompt}, {"keyword", q.Keyword}, {"reference", q.Reference},
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
	for _, f := range named {
		if what := untidy(f.value); what != "" {
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

func untidy(s string) string {
	for _, r := range s {
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
	prompt := phrase(c.prompts[i])
	seen := map[string]bool{}
	for k, words := range c.answer[i] {
		text, key := q.Answers()[k], phrase(words)
		if len(words) == 0 {
			if strings.TrimSpace(text) != "" {
				c.warn(i, RuleUnscorable, "%q has no letter or digit, so em can never find it", short(text))
			}
			continue
		}
		if strings.Contains(prompt, key) {
			c.fault(i, RuleLeak, "the prompt holds its own answer %q", short(text))
		}
		if seen[key] {
			c.warn(i, RuleRedundant, "alias %q adds nothing: its words are those of the keyword or of another alias", short(text))
		}
		seen[key] = true
		if len(words) > maxAnswerWords {
			c.warn(i, RuleLong, "answer %q has %d words; more than %d are seldom repeated to the letter", short(text), len(words), maxAnswerWords)
		}
		if len(words) == 1 && c.common(words[0]) {
			c.warn(i, RuleCommon, "answer %q is so short or so common that a wrong reply may hold it", short(text))
		}
	}
	if c.Unscorable != nil && strings.TrimSpace(q.Keyword) != "" {
		for _, reason := range c.Unscorable(q.Keyword) {
			c.warn(i, RuleUnscorable, "keyword %q: %s", short(q.Keyword), reason)
		}
	}
}

func (c *check) common(word string) bool {
	if r, size := utf8.DecodeRuneInString(word); size == len(word) && unicode.IsLetter(r) && !unicode.Is(unicode.Han, r) {
		return true
	}
	return c.Common != nil && c.Common(word)
}

// phrase joins words so that strings.Contains finds only whole words.
func phrase(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return " " + strings.Join(words, " ") + " "
}
