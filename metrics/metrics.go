// Package metrics names the metrics and holds a score's type; its children
// compute them.
//
// Policy: pure functions, no I/O, no clock. What cannot be scored is Unscored
// with a reason, never 0. Every metric is a key in every output.
package metrics

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
