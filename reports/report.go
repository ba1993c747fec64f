// Package reports turns stored runs into a Report, the one value that every
// renderer shows: the same number, digit for digit, everywhere.
//
// Policy: everything is computed from the stored replies and readings, here
// and nowhere else; a renderer does no arithmetic but rounding. A number that
// does not exist is nil, never 0 and never NaN.
package reports

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/stat"
)

// Status says whether every query of every model has an outcome.
type Status string

const (
	Complete Status = "complete"
	Partial  Status = "partial"
)

// Report is everything there is to show about one run.
type Report struct {
	RunID       string
	Dir         string // the run's folder
	Created     time.Time
	ToolVersion string
	PlanHash    string
	Status      Status
	Queries     QuerySet
	Plan        eval.Plan
	Host        eval.Host
	MovedTo     []string            // fingerprints of other machines that the run went on on
	Machines    []Machine           // workers that answered, by name; empty where the machine of the run did
	Agreements  []Agreement         // of hosts that answered the same questions
	Scoring     *eval.ScoringRecord // nil before the first scoring
	Factor      *emissions.CarbonFactor
	PUE         float64
	Models      []Model      // in the plan's order
	Comparisons []Comparison // every other model against the reference, metric by metric
	Rivals      []Rivalry    // every two models, where their probabilities are known
	Fidelity    []Fidelity   // every other model against the reference
	Ladders     []Ladder     // of quantisations, in the plan's order
	Categories  []Category   // in the set's order
	Headlines   []string     // one sentence per model
	Audit       []string     // findings of the plausibility audit on this run's and the published durations and emissions
	Published   []PublishedRow
	Reviews     *ReviewSummary // nil where nobody reviewed
	Power       []Power        // over time, by machine
	PowerNotes  []string       // why there is none, or not all
	Warnings    []string
	Judgement   *Judgement // nil where nobody judged these outcomes
	Outcomes    string     // SHA-256 of every reply or failure, its scores and how they were made: what a judgement is of

	// Replies yields every outcome, ordered by model and query as the plan
	// orders them. It can be ranged over again and again.
	Replies func(context.Context) iter.Seq2[eval.ScoredReply, error]

	// RepliesOf yields those of one model without going over the others; nil
	// where only Replies can be had.
	RepliesOf func(ctx context.Context, model string) iter.Seq2[eval.ScoredReply, error]
}

// Same reports whether two reports are of one run.
func (r Report) Same(o Report) bool {
	return r.RunID == o.RunID && r.Created.Equal(o.Created) && r.Outcomes == o.Outcomes
}

// QuerySet names what was asked.
type QuerySet struct {
	Name    string
	Version string
	N       int
	SHA256  string
}

// Label is the name, with the version where the set states one.
func (q QuerySet) Label() string { return strings.TrimSpace(q.Name + " " + q.Version) }

// Model is one model's figures.
type Model struct {
	Model      eval.Model
	Replies    int    // answers received
	Failures   int    // outcomes without an answer
	Missing    int    // questions without an outcome: queries, times their samples
	GaveUp     string // why the model was stopped; empty: it was not
	FailKinds  map[eval.FailureKind]int
	Reused     *Reuse // nil: every reply was asked for in this run
	PromptsCut int    // prompts that were read as fewer tokens than they have words
	Noise      string // of samples at temperature 0 that are not one text; empty: none

	IdenticalTexts *float64 // share of the queries with several answers whose answers are all one text; nil where there is none

	DurationS       *float64 // wall time from the first question to the last answer, load and warm-up apart; nil where nothing was asked
	UnmeteredS      float64  // of DurationS: known from replies that a kill cut off from their phase's reading; Energy does not cover it
	SecondsPerReply *float64 // DurationS by Replies
	LoadS           *float64
	WarmupS         *float64
	ProbeS          *float64 // asking for probabilities; in no other figure
	ProbeWh         *float64
	UnloadS         *float64
	Tokens          eval.Usage
	TokensPerS      *float64 // completion tokens per second of DurationS
	LatencyMS       Latency
	Lengths         Lengths

	Energy      Energy
	EmissionsKg *float64 // kg CO2e of Energy by the report's factor and PUE
	GPer1000    *float64 // g CO2e per 1,000 queries

	Metrics []Metric // every metric, in canonical order
	Floor   *float64 // mean cosine with other queries' references

	Knowledge []Knowledge // of the first 2,000 queries of which anything is known, in the set's order

	Histograms Histograms
	Negated    int // replies flagged "negated"
	Disagree   int // replies flagged "em_disagrees"
}

// Lengths say how long a model's replies are, and what ended them.
type Lengths struct {
	MeanTokens    *float64 // completion tokens a reply; nil where a count is missing
	MeanChars     *float64 // Unicode characters a reply
	ByLength      int      // replies that num_predict or the context cut
	Empty         int      // replies without an answer but for blanks
	EmptyCut      int      // of Empty: those cut by length, which spent their tokens on something else
	ReasoningOnly int      // of Empty: those that hold reasoning
}

// Latency is the wall time per answer in milliseconds; nil without an answer.
type Latency struct{ P50, P95, P99 *float64 }

// Energy is the energy of a model's answering, over the interval that
// DurationS states.
type Energy struct {
	Quality           emissions.Quality
	Method            string
	Reason            string // why it is unavailable or partial
	Wh                *float64
	LowWh             *float64 // bounds; equal to Wh when measured
	HighWh            *float64
	MeasuredWh        *float64 // the part of Wh that counters gave; the bounds come from the rest
	MeasuredShare     *float64 // [0,1] of Wh
	MeasuredWhPer1000 *float64
	WhPer1000         *float64
	WhPerCorrect      *float64 // per reply with em 1; nil where there is none
	JPerCorrect       *float64 // the same in joules
	JPerToken         *float64 // per completion token
	MeanW             *float64
	AboveIdleWh       *float64 // less the idle baseline
	ServerShare       *float64 // [0,1] of the busy CPU time
	ServerWh          *float64 // Wh times ServerShare
	Zones             []emissions.Zone
	Gaps              []emissions.Gap
	Warnings          []string
	OverTime          []EnergyPoint // the replies' energy summed up in the order of their ends, at most 200 points; empty where replies have none
}

// EnergyPoint is the energy of all of a model's replies up to a moment.
type EnergyPoint struct {
	Seconds float64 // since the model's first question
	Wh      float64
}

// Metric is one metric's mean over a model's replies.
type Metric struct {
	Name, Title string
	stat.Summary
	Bound    metrics.Bound // of the mean, where some values are only bounds
	BoundedN int           // how many
	Chance   *float64      // of em: how often a reply holds the keyword of another query; of choice: what choosing blindly would reach; nil where it is not known

	// Of a run that asks every query more than once; Samples is 0 in another,
	// and what cannot be told is nil.
	Samples   int      // of a query; its score is their mean
	SDBetween *float64 // standard deviation of the queries' scores
	SDWithin  *float64 // of one query's samples, pooled over the queries: the noise of one run
	Any       *float64 // share of queries with any sample right, of a metric that is 0 or 1
	Identical *float64 // share of queries whose samples all have one score
}

// Comparison is one metric of one model against the reference model on the
// same queries.
type Comparison struct {
	Metric, Title, Model, Reference string
	stat.Comparison
	PHolm *float64    // Holm-corrected over all of the report's comparisons; nil where there is no p
	Same  *Concordant // nil for a metric that is not 0 or 1
}

// Delta is the difference; nil where there is none, because there is no pair or
// only the order of the pairs is known.
func (c Comparison) Delta() *float64 {
	if c.N == 0 || c.Test == "sign-exact" {
		return nil
	}
	return &c.Difference
}

// Concordant splits the ties of a metric that is 0 or 1: the diagonal of
// McNemar's table, beside Wins and Losses.
type Concordant struct{ Right, Wrong int }

// Category is one category's em by model.
type Category struct {
	Name string
	N    int        // queries
	EM   []*float64 // in the order of Report.Models; nil where nothing was scored
}

// Histogram counts values in bins of equal width.
type Histogram struct {
	Low, Width float64 // the first bin begins at Low
	Counts     []int
}

// Histograms are the distributions that charts show; nil without a value.
type Histograms struct{ Cosine, LatencyMS *Histogram }

// PublishedRow is one row of the published table beside the model of this run
// that has the same weights.
type PublishedRow struct {
	Model                                     string
	DurationS, EmissionsKg, EM, Cosine, Rouge float64
	Ours                                      int // index in Report.Models
}

// ReviewSummary is how people's verdicts agree with em and with each other.
type ReviewSummary struct {
	Reviewers []string
	N         int               // verdicts
	WithEM    []ReviewAgreement // a reviewer and em
	Between   []ReviewAgreement // two reviewers
}

// ReviewAgreement is Cohen's kappa of two raters.
type ReviewAgreement struct {
	A, B string
	stat.Agreement
}
