package scoring

import (
	"slices"

	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/text"
	"github.com/disteval/disteval/queries"
)

// A reply that lists answers until one fits is no answer, though em finds the
// keyword in it. FlagAnswerDump marks it: a reply that holds the answers of
// dumpAnswers other queries and of one more for every dumpWords of its words,
// or of half of all other queries where those are fewer, but of two at least.
const (
	dumpAnswers = 8
	dumpWords   = 25
)

// longestAnswer is the most words of an answer that is looked for.
const longestAnswer = 12

// Answers are what the queries of a set accept, to be looked for in replies
// all at once. Several goroutines may use them.
type Answers struct {
	ids     map[string]int  // by the words of an answer; queries that share an answer share its ID
	n       int             // IDs
	longest int             // words of an answer
	first   map[string]bool // words that an answer begins with
}

// NewAnswers gathers the keywords and aliases of a set.
func NewAnswers(set queries.Set) *Answers {
	a := &Answers{ids: make(map[string]int), first: make(map[string]bool)}
	var words text.Words
	var key []byte
	for _, q := range set.Queries {
		id := -1
		for _, answer := range q.Answers() {
			if known, ok := a.ids[string(a.key(&key, &words, answer))]; ok && len(key) > 0 {
				id = known
				break
			}
		}
		for _, answer := range q.Answers() {
			if len(a.key(&key, &words, answer)) == 0 || words.Len() > longestAnswer {
				continue
			}
			if id < 0 {
				id, a.n = a.n, a.n+1
			}
			if _, known := a.ids[string(key)]; !known {
				a.ids[string(key)] = id
			}
			a.longest = max(a.longest, words.Len())
			a.first[string(words.At(words.LeadingArticle()))] = true
		}
	}
	return a
}

// key writes the words of an answer to key, a leading article left out.
func (a *Answers) key(key *[]byte, words *text.Words, answer string) []byte {
	words.Reset(answer)
	*key = (*key)[:0]
	for i := words.LeadingArticle(); i < words.Len(); i++ {
		*key = append(append(*key, words.At(i)...), ' ')
	}
	return *key
}

// dumps looks for dumps of answers, with scratch memory of its own.
type dumps struct {
	answers *Answers // nil: none is looked for
	own     text.Words
	key     []byte
	seen    map[int]bool
}

// found reports whether the words of a reply hold so many answers beside those
// that it is to give that it is none.
func (d *dumps) found(words *text.Words, pair metrics.Pair) bool {
	if d.answers == nil {
		return false
	}
	if d.seen == nil {
		d.seen = make(map[int]bool)
	}
	clear(d.seen)
	d.note(d.answers.key(&d.key, &d.own, pair.Keyword))
	for _, alias := range pair.Aliases {
		d.note(d.answers.key(&d.key, &d.own, alias))
	}
	own := len(d.seen)
	others := d.answers.n - own
	enough := max(2, min(dumpAnswers+words.Len()/dumpWords, (others+1)/2))
	for i := range words.Len() {
		if !d.answers.first[string(words.At(i))] {
			continue
		}
		d.key = d.key[:0]
		for j := i; j < min(words.Len(), i+d.answers.longest); j++ {
			d.key = append(append(d.key, words.At(j)...), ' ')
			d.note(d.key)
		}
		if len(d.seen)-own >= enough {
			return true
		}
	}
	return false
}

func (d *dumps) note(key []byte) {
	if id, ok := d.answers.ids[string(key)]; ok {
		d.seen[id] = true
	}
}

// Dumped reports whether a reply is flagged as a dump of answers.
func Dumped(flags []string) bool { return slices.Contains(flags, FlagAnswerDump) }
