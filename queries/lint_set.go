package queries

import (
	"hash/maphash"
	"strings"
)

func (c *check) duplicateIDs() {
	first := map[string]int{}
	for i, q := range c.set.Queries {
		if at, known := first[q.ID]; !known {
			first[q.ID] = i
		} else if q.ID != "" {
			c.fault(i, RuleID, "id %q is already that of %s", short(q.ID), c.at(at))
		}
	}
}

// promptKey is what makes two prompts the same: their words, or their text
// where they have none.
func (c *check) promptKey(i int) string {
	if len(c.prompts[i]) == 0 {
		return c.set.Queries[i].Prompt
	}
	return phrase(c.prompts[i])
}

func (c *check) duplicatePrompts() {
	first := map[string]int{}
	for i := range c.set.Queries {
		key := c.promptKey(i)
		if at, known := first[key]; !known {
			first[key] = i
		} else if strings.TrimSpace(key) != "" {
			c.fault(i, RulePrompt, "asks the same as %s", c.at(at))
		}
	}
}

const (
	// nearSimilarity is the share of words in common (Jaccard) from which two
	// prompts with an answer in common ask nearly the same.
	nearSimilarity = 0.6
	// nearWindow is how many earlier prompts with the same answer each is
	// compared with: a set of yes-or-no questions must not take quadratic time.
	nearWindow = 32
)

// nearDuplicates warns of a prompt that has the words of an earlier one in
// another order, or with one word more or less, or that shares an answer and at
// least six words in ten. Prompts that differ in one word and in the answer
// (The capital of Kenya is, The capital of Peru is) are a template, not
// near-duplicates.
func (c *check) nearDuplicates() {
	n := nearIndex{full: map[uint64]int{}, shorter: map[uint64]int{}, same: map[string][]int{}, seed: maphash.MakeSeed()}
	for i, words := range c.prompts {
		if len(words) == 0 {
			continue
		}
		at := n.find(words)
		if at < 0 {
			at = c.similar(i, n.same)
		}
		if at >= 0 && c.promptKey(at) != c.promptKey(i) {
			c.warn(i, RuleNear, "asks nearly the same as %s: %q", c.at(at), short(c.set.Queries[at].Prompt))
		}
		n.add(i, words, c.answer[i])
	}
}

// similar is an earlier query that shares an answer with query i and whose
// prompt is like its own; -1 where there is none.
func (c *check) similar(i int, earlier map[string][]int) int {
	for _, a := range c.answer[i] {
		for _, k := range earlier[phrase(a)] {
			if jaccard(c.asked[k], c.asked[i]) >= nearSimilarity {
				return k
			}
		}
	}
	return -1
}

// jaccard is the number of different words in both over that in either.
func jaccard(a, b []string) float64 {
	in := map[string]bool{} // whether the word is in both
	for _, w := range a {
		in[w] = false
	}
	both := 0
	for _, w := range b {
		if seen, known := in[w]; known && !seen {
			both++
		}
		in[w] = true
	}
	return float64(both) / float64(len(in))
}

// nearIndex finds prompts by their bag of words. The hash of a bag is the sum
// of its words' hashes, so that leaving a word out is one subtraction, and a
// prompt of n words costs n look-ups. Two bags of one sum by chance (one pair
// in 2^64) would cost one wrong warning.
type nearIndex struct {
	full    map[uint64]int   // bag of a prompt
	shorter map[uint64]int   // bag of a prompt without one of its words
	same    map[string][]int // the last prompts with one answer
	seed    maphash.Seed
}

func (n nearIndex) bag(words []string) (sum uint64) {
	for _, w := range words {
		sum += maphash.String(n.seed, w)
	}
	return sum
}

func (n nearIndex) find(words []string) int {
	bag := n.bag(words)
	if at, known := n.full[bag]; known {
		return at
	}
	if at, known := n.shorter[bag]; known {
		return at
	}
	for _, w := range words {
		if at, known := n.full[bag-maphash.String(n.seed, w)]; known {
			return at
		}
	}
	return -1
}

func (n nearIndex) add(i int, words []string, answers [][]string) {
	bag := n.bag(words)
	if _, known := n.full[bag]; !known {
		n.full[bag] = i
	}
	if len(words) > 1 {
		for _, w := range words {
			n.shorter[bag-maphash.String(n.seed, w)] = i
		}
	}
	for _, a := range answers {
		same := append(n.same[phrase(a)], i)
		n.same[phrase(a)] = same[max(0, len(same)-nearWindow):]
	}
}

func (c *check) repeatedAnswers() {
	times := map[string]int{}
	for i := range c.set.Queries {
		key := phrase(c.answer[i][0])
		if times[key]++; times[key] == 3 && key != "" {
			c.warn(i, RuleRepeated, "keyword %q is the answer of more than two queries; a model that always says it scores on each", short(c.set.Queries[i].Keyword))
		}
	}
}

// sharedAnswers warns of an answer that is also one of an earlier query with
// another keyword: what is right for the one is right for the other.
func (c *check) sharedAnswers() {
	first := map[string]int{}
	for i, answers := range c.answer {
		own := phrase(answers[0])
		for k, words := range answers {
			key := phrase(words)
			if at, known := first[key]; !known {
				first[key] = i
			} else if at != i && key != "" && phrase(c.answer[at][0]) != own {
				c.warn(i, RuleInside, "answer %q is also one of %s, whose keyword is another", short(c.set.Queries[i].Answers()[k]), c.at(at))
			}
		}
	}
}

// container is a longer answer that holds a shorter one.
type container struct {
	query int
	text  string // its words
}

const (
	maxContainers = 4 // kept for each answer, so that the time stays linear
	maxInnerWords = 8 // longer answers are not looked for inside others
)

// answersInside warns of an answer that stands inside a longer answer of
// another query: a reply with the longer one counts as right for both.
func (c *check) answersInside() {
	holders := map[string][]container{}
	for _, answers := range c.answer {
		for _, words := range answers {
			if len(words) > 0 && len(words) <= maxInnerWords {
				holders[phrase(words)] = nil
			}
		}
	}
	for i, answers := range c.answer {
		for _, words := range answers {
			hold(holders, i, words)
		}
	}
	for i, answers := range c.answer {
		own := map[string]bool{}
		for _, words := range answers {
			own[phrase(words)] = true
		}
		for k, words := range answers {
			if outer, found := foreign(holders[phrase(words)], i, own); found {
				c.warn(i, RuleInside, "answer %q stands inside %q, an answer of %s", short(c.set.Queries[i].Answers()[k]), short(strings.TrimSpace(outer.text)), c.at(outer.query))
			}
		}
	}
}

// hold notes the answer of query i at every shorter answer inside it.
func hold(holders map[string][]container, i int, words []string) {
	for from := range words {
		for to := from + 1; to <= min(len(words), from+maxInnerWords); to++ {
			if to-from == len(words) {
				continue
			}
			inner := phrase(words[from:to])
			if list, isAnswer := holders[inner]; isAnswer && len(list) < maxContainers {
				holders[inner] = append(list, container{i, phrase(words)})
			}
		}
	}
}

// foreign is the first container that neither belongs to query i nor is one
// of its own answers.
func foreign(list []container, i int, own map[string]bool) (container, bool) {
	for _, outer := range list {
		if outer.query != i && !own[outer.text] {
			return outer, true
		}
	}
	return container{}, false
}

func (c *check) categories() {
	count, first := map[string]int{}, map[string]int{}
	var order []string
	for i, q := range c.set.Queries {
		name := strings.TrimSpace(q.Category)
		if count[name]++; count[name] == 1 {
			first[name] = i
			order = append(order, name)
		}
	}
	if missing := count[""]; missing > 0 {
		c.warn(first[""], RuleNoCategory, "%d of %d queries have no category, beginning here", missing, len(c.set.Queries))
	}
	named := len(order)
	if count[""] > 0 {
		named--
	}
	mean := float64(len(c.set.Queries)-count[""]) / float64(max(1, named))
	for _, name := range order {
		if n := float64(count[name]); name != "" && (n < mean/2 || n > 2*mean) {
			c.warn(first[name], RuleUnbalanced, "category %q, which begins here, has %d queries where the mean is %.1f", short(name), count[name], mean)
		}
	}
}
