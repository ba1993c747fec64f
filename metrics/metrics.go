// Package metrics names the metrics and holds a score's type; its children
// compute them.
//
// Policy: pure functions, no I/O, no clock. What cannot be scored is Unscored
// with a reason, never 0. Every metric is a key in every output.
package metrics

import "math"

// Status says whether a score exists.
type Status string

const (
	Scored   Status = "scored"
	Unscored Status = "unscored"
)

// Score is one metric's value on one reply.
type Score struct {
	Metric string
	Value  float64 // within the metric's range; 0 and meaningless when Unscored
	Status Status
	Reason string // why it is Unscored; empty when Scored
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
)

// Metric describes one metric.
type Metric struct {
	Name     string
	Title    string  // for a table's head
	Min, Max float64 // the range; Min is -Inf where there is no lower bound
	Binary   bool    // 0 or 1 per reply: Wilson interval and exact McNemar; otherwise bootstrap
}

// All lists the metrics in the order every output shows them.
func All() []Metric {
	return []Metric{
		{Name: EM, Title: "EM", Max: 1, Binary: true},
		{Name: EMSubstring, Title: "EM substring", Max: 1, Binary: true},
		{Name: EMStrict, Title: "EM strict", Max: 1, Binary: true},
		{Name: RougeLPrecision, Title: "ROUGE-L precision", Max: 1},
		{Name: RougeLRecall, Title: "ROUGE-L recall", Max: 1},
		{Name: RougeLF1, Title: "ROUGE-L F1", Max: 1},
		{Name: Cosine, Title: "Cosine", Min: -1, Max: 1},
		{Name: CosineBest, Title: "Cosine best", Min: -1, Max: 1},
		{Name: CosineLift, Title: "Cosine lift", Min: math.Inf(-1), Max: 1},
	}
}

// Pair is one reply beside what it is compared with.
type Pair struct {
	Reference string   // what ROUGE-L and cosine compare with
	Keyword   string   // what em looks for
	Aliases   []string // other forms of the keyword that count as much
	Text      string   // the scored text: the reply, or prompt and reply
}
