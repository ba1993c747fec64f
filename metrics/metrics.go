// Package metrics names the metrics and holds a score's type; its children
// compute them.
//
// Policy: pure functions, no I/O, no clock. What cannot be scored is Unscored
// with a reason, never 0. Every metric is a key in every output.
package metrics

import (
	"math"
	"slices"
)

// Status says whether a score exists.
type Status string

const (
	Scored   Status = "scored"
	Unscored Status = "unscored"
)

// Bound says on which side of a value the true one may lie.
type Bound string

const (
	Exact   Bound = ""
	AtLeast Bound = "at_least" // the true value is the stated one or higher
	AtMost  Bound = "at_most"  // the true value is the stated one or lower
)

// Score is one metric's value on one reply.
type Score struct {
	Metric string
	Value  float64 // within the metric's range; 0 and meaningless when Unscored
	Status Status
	Bound  Bound  // Exact unless only a bound of the value is known
	Reason string // why it is Unscored or only a bound; else empty
}

// The metrics' names, as they stand in every output.
const (
	EM              = "em"
	EMSubstring     = "em_substring"
	EMStrict        = "em_strict"
	RougeLPrecision = "rouge_l_precision"
	RougeLRecall    = "rouge_l_recall"
	RougeLF1        = "rouge_l_f1"
	Cosine          = "cosine"
	CosineBest      = "cosine_best"
	CosineLift      = "cosine_lift"

	AnswerBits        = "answer_bits"
	AnswerBitsPerByte = "answer_bits_per_byte"
	AnswerTop1        = "answer_top1"
	AnswerTop5        = "answer_top5"
	AnswerTop20       = "answer_top20"
	Choice            = "choice"
)

// Direction says which values of a metric are the better ones.
type Direction string

const (
	Higher Direction = "higher"
	Lower  Direction = "lower"
)

// Metric describes one metric.
type Metric struct {
	Name     string
	Title    string    // for a table's head
	Min, Max float64   // the range; infinite where there is no bound
	Binary   bool      // 0 or 1 per reply: Wilson interval and exact McNemar; otherwise bootstrap
	Better   Direction // which values are the better ones
}

// All lists the metrics in the order every output shows them: those of a
// reply's text, then those of Likelihood. The slice is shared: it is to be read
// only.
func All() []Metric { return slices.Clip(all) }

// Text lists the metrics of a reply's text, as All does.
func Text() []Metric { return slices.Clip(all[:textual]) }

// Likelihood lists the metrics that follow from a model's probabilities, as All
// does.
func Likelihood() []Metric { return slices.Clip(all[textual:]) }

const textual = 9 // of all, the metrics of a reply's text

var all = []Metric{
	{Name: EM, Title: "EM", Max: 1, Binary: true, Better: Higher},
	{Name: EMSubstring, Title: "EM substring", Max: 1, Binary: true, Better: Higher},
	{Name: EMStrict, Title: "EM strict", Max: 1, Binary: true, Better: Higher},
	{Name: RougeLPrecision, Title: "ROUGE-L precision", Max: 1, Better: Higher},
	{Name: RougeLRecall, Title: "ROUGE-L recall", Max: 1, Better: Higher},
	{Name: RougeLF1, Title: "ROUGE-L F1", Max: 1, Better: Higher},
	{Name: Cosine, Title: "Cosine", Min: -1, Max: 1, Better: Higher},
	{Name: CosineBest, Title: "Cosine best", Min: -1, Max: 1, Better: Higher},
	{Name: CosineLift, Title: "Cosine lift", Min: math.Inf(-1), Max: 1, Better: Higher},

	{Name: AnswerBits, Title: "Answer bits", Max: math.Inf(1), Better: Lower},
	{Name: AnswerBitsPerByte, Title: "Bits per byte", Max: math.Inf(1), Better: Lower},
	{Name: AnswerTop1, Title: "Top 1", Max: 1, Binary: true, Better: Higher},
	{Name: AnswerTop5, Title: "Top 5", Max: 1, Binary: true, Better: Higher},
	{Name: AnswerTop20, Title: "Top 20", Max: 1, Binary: true, Better: Higher},
	{Name: Choice, Title: "Choice", Max: 1, Binary: true, Better: Higher},
}

// Pair is one reply beside what it is compared with.
type Pair struct {
	Reference string   // what ROUGE-L and cosine compare with
	Keyword   string   // what em looks for
	Aliases   []string // other forms of the keyword that count as much
	Text      string   // the scored text: the answer, or prompt and answer
	Reasoned  bool     // the reply also holds reasoning, which is not scored
}
