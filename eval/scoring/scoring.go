// Package scoring computes every metric of a reply.
//
// Policy: there is one way to score, whoever asks: a run, score RUN, score
// --pairs and explain go through the same code and get the same digits. What
// cannot be scored is Unscored with its reason. cosine_lift needs the floor of
// a whole run: it is Unscored here, and metrics.Lift follows once all replies
// of a model are seen.
package scoring

import (
	"cmp"
	"context"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/text"
	"github.com/disteval/disteval/metrics/vector"
	"github.com/disteval/disteval/queries"
)

// The flags of a reply.
const (
	FlagNegated    = "negated"          // a negation stands within three words before the keyword
	FlagEMDisagree = "em_disagrees"     // em and em_substring differ
	FlagUnbounded  = "no_word_boundary" // the keyword is of a script that does not part words
	FlagReasoning  = "reasoning"        // it holds reasoning, which is not scored
	FlagAnswerDump = "answer_dump"      // it holds the answers of many other queries: see Answers
)

// Config says how to score.
type Config struct {
	IncludePrompt bool          // the scored text is prompt and reply
	Embedder      eval.Embedder // of cosine and cosine_best; nil for the built-in word vectors
	Answers       *Answers      // of the set that the replies are to, for FlagAnswerDump; nil: it is not looked for
}

// Text returns the scored text of a reply: its answer without what it reasoned
// between tags. With the prompt included the two are joined as they are, with a space between two letters or digits that would otherwise
// become one word.
func (c Config) Text(prompt, reply string) string {
	reply = text.SplitReasoning(reply).Answer
	if !c.IncludePrompt || prompt == "" {
		return reply
	}
	last, _ := utf8.DecodeLastRuneInString(prompt)
	first, _ := utf8.DecodeRuneInString(reply)
	if isWord(last) && isWord(first) {
		return prompt + " " + reply
	}
	return prompt + reply
}

// Pair is what the metrics compare for one reply.
func (c Config) Pair(q queries.Query, reply string) metrics.Pair {
	return metrics.Pair{Reference: q.Reference, Keyword: q.Keyword, Aliases: q.Aliases, Text: c.Text(q.Prompt, reply),
		Reasoned: text.SplitReasoning(reply).Tagged}
}

// Searchable reports whether em can be scored on replies to a query: an answer
// to it holds a word.
func Searchable(q queries.Query) bool {
	var words text.Words
	return slices.ContainsFunc(q.Answers(), func(answer string) bool {
		words.Reset(answer)
		return words.Len() > 0
	})
}

// PairOf is Pair of a stored reply, whose reasoning may have come in a field of
// its own.
func (c Config) PairOf(q queries.Query, r eval.Reply) metrics.Pair {
	p := c.Pair(q, r.Text)
	p.Reasoned = p.Reasoned || r.Reasoning != ""
	return p
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

// Result is a reply's scores and what they were made of.
type Result struct {
	Scores []metrics.Score // every metric, in the order of metrics.All
	Flags  []string        // such as FlagNegated; nil without any

	Match text.Match // where the keyword stands
	Rouge text.Rouge

	// The window of the scored text that cosine_best chose, in bytes; both are
	// 0 where it is Unscored.
	BestStart, BestEnd int

	// The directions that cosine compares, for the floor; nil where it is
	// Unscored. They are valid until the next call of the Scorer.
	TextVector, ReferenceVector []float64
}

// AddTo adds the reply to its model's floor, if it has a cosine.
func (r Result) AddTo(floor *vector.Floor) {
	if r.TextVector != nil {
		floor.Add(r.TextVector, r.ReferenceVector)
	}
}

// Scorer scores replies one after the other with the same scratch memory. It
// must not be used by two goroutines at once.
type Scorer struct {
	texts     text.Scorer
	words     text.Words // of the scored text
	reference text.Words
	meaning   meaning
	dumps     dumps
}

// meaning computes cosine and cosine_best of texts cut into words.
type meaning interface {
	// prepare is told of the pairs that compare is about to be called with, and
	// returns for how many of them it is ready: at least one.
	prepare(ctx context.Context, pairs []metrics.Pair) (n int, err error)
	compare(ctx context.Context, pair metrics.Pair, reference, words *text.Words) (closeness, error)
}

// closeness is what a meaning finds. Reasons are empty where there is a value.
type closeness struct {
	cosine, best          float64
	reason, bestReason    string
	bestStart, bestEnd    int
	textVector, reference []float64
}

// New returns a Scorer.
func New(cfg Config) *Scorer {
	if cfg.Embedder == nil {
		return &Scorer{meaning: &wordVectors{}, dumps: dumps{answers: cfg.Answers}}
	}
	return &Scorer{meaning: newServed(cfg.Embedder), dumps: dumps{answers: cfg.Answers}}
}

// Score scores one reply. It fails only where an embedding server does.
func (s *Scorer) Score(ctx context.Context, pair metrics.Pair) (Result, error) {
	var result Result
	err := s.ScoreAll(ctx, []metrics.Pair{pair}, func(_ int, r Result) error {
		result = r
		return nil
	})
	return result, err
}

// ScoreAll scores replies and calls each with every result, in order. An
// embedding server is asked in batches across all of pairs; its vectors are
// held for a while, so pairs should be some hundreds, not a whole file.
func (s *Scorer) ScoreAll(ctx context.Context, pairs []metrics.Pair, each func(i int, r Result) error) error {
	ready := 0
	for i, pair := range pairs {
		if i == ready {
			n, err := s.meaning.prepare(ctx, pairs[ready:])
			if err != nil {
				return err
			}
			ready += n
		}
		r, err := s.score(ctx, pair)
		if err != nil {
			return err
		}
		if err := each(i, r); err != nil {
			return err
		}
	}
	return nil
}

func (s *Scorer) score(ctx context.Context, pair metrics.Pair) (Result, error) {
	s.words.Reset(pair.Text)
	s.reference.Reset(pair.Reference)
	match := s.texts.Keyword(pair.Keyword, pair.Aliases, pair.Text, &s.words)
	strict := s.texts.Strict(pair.Keyword, pair.Aliases, pair.Text)
	rouge := s.texts.Rouge(pair.Reference, pair.Text)
	c, err := s.meaning.compare(ctx, pair, &s.reference, &s.words)
	if err != nil {
		return Result{}, err
	}
	scores := append(make([]metrics.Score, 0, len(metrics.All())),
		scored(metrics.EM, binary(match.Found), unless(match.Searchable, "the keyword holds no letter or digit")),
		scored(metrics.EMSubstring, binary(match.Substring), unless(match.SubstringSearchable, "the keyword is empty")),
		scored(metrics.EMStrict, binary(strict), ""),
		scored(metrics.RougeLPrecision, rouge.Precision, ""),
		scored(metrics.RougeLRecall, rouge.Recall, ""),
		scored(metrics.RougeLF1, rouge.F1, ""),
		scored(metrics.Cosine, c.cosine, c.reason),
		scored(metrics.CosineBest, c.best, c.bestReason),
		scored(metrics.CosineLift, 0, cmp.Or(c.reason, LiftReason)))
	for _, m := range metrics.Likelihood() {
		scores = append(scores, scored(m.Name, 0, LikelihoodReason))
	}
	return Result{
		Scores:    scores,
		Flags:     flags(match, pair.Reasoned, s.dumps.found(&s.words, pair)),
		Match:     match,
		Rouge:     rouge,
		BestStart: c.bestStart, BestEnd: c.bestEnd,
		TextVector: c.textVector, ReferenceVector: c.reference,
	}, nil
}

// LikelihoodReason is why the metrics of metrics.Likelihood are Unscored where
// there is only a text.
const LikelihoodReason = "needs a run: a model's probabilities do not follow from its reply"

// LiftReason is why cosine_lift is Unscored beside a cosine before the floor is
// known.
const LiftReason = "needs a run: the floor is the mean cosine of a model's replies with other references"

func scored(name string, value float64, reason string) metrics.Score {
	if reason != "" {
		return metrics.Score{Metric: name, Status: metrics.Unscored, Reason: reason}
	}
	return metrics.Score{Metric: name, Value: value, Status: metrics.Scored}
}

func unless(ok bool, reason string) string {
	if ok {
		return ""
	}
	return reason
}

func binary(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func flags(m text.Match, reasoned, dumped bool) []string {
	var list []string
	if m.Negated != "" {
		list = append(list, FlagNegated)
	}
	if m.Disagrees() {
		list = append(list, FlagEMDisagree)
	}
	if m.Unbounded {
		list = append(list, FlagUnbounded)
	}
	if reasoned {
		list = append(list, FlagReasoning)
	}
	if dumped {
		list = append(list, FlagAnswerDump)
	}
	return list
}
