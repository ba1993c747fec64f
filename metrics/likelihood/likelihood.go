// Package likelihood computes what follows from the log-probabilities that a
// model gives to texts: how many bits of surprise the right answer is, where
// its first token ranks, which of several answers the model would choose, and
// how far two models' predictions lie apart.
//
// Policy: the probabilities are the model's natural ones, of its whole
// vocabulary, without temperature or penalty. Where only some of them are
// known, the result is a bound that the true figure cannot contradict, or it
// is Unscored with the reason; nothing is taken for 0 or for chance.
package likelihood

import (
	"errors"
	"fmt"
	"math"

	"github.com/disteval/disteval/metrics"
)

// Alternative is one token that could come next.
type Alternative struct {
	ID      int     `json:"id"` // -1 where the provider names no IDs
	Text    string  `json:"text"`
	Logprob float64 `json:"logprob"` // natural logarithm, at most 0
}

// Step is one token of a continuation.
type Step struct {
	ID       int           `json:"id"`
	Text     string        `json:"text"`
	Logprob  float64       `json:"logprob"`             // natural logarithm; an upper bound of it where Known is false
	Known    bool          `json:"known"`               // whether Logprob is the token's own
	Rank     int           `json:"rank"`                // 1 + the tokens that are strictly more probable; at least so much where Known is false or RankOpen is set
	RankOpen bool          `json:"rank_open,omitempty"` // the token is known, but not how many are more probable
	Top      []Alternative `json:"top,omitempty"`       // the most probable tokens, best first
}

// Form is what a model makes of one continuation of a prompt. It is exact
// where every step is known, bounded where the last one is not or the form was
// cut, and unknown where Reason says why it could not be followed to its end.
type Form struct {
	Text   string `json:"text"`             // the keyword, an alias or another candidate
	Bytes  int    `json:"bytes"`            // UTF-8 bytes of the continuation: the form and the space before it
	Steps  []Step `json:"steps"`            // of an unknown form those before it was lost
	Cut    bool   `json:"cut,omitempty"`    // more steps would follow, which cannot matter where the form was asked for
	Reason string `json:"reason,omitempty"` // why it is unknown; untrusted where a server says so
}

// Bits is the form's surprise in bits, at least 0: exact where both are equal,
// else the true value lies between them. hi is infinite where nothing bounds it.
func (f Form) Bits() (lo, hi float64) {
	exact := f.Reason == "" && !f.Cut && len(f.Steps) > 0
	for _, s := range f.Steps {
		lo -= s.Logprob / math.Ln2
		exact = exact && s.Known
	}
	lo = max(0, lo) // never -0
	if exact {
		return lo, lo
	}
	return lo, math.Inf(1)
}

// Exact reports whether the form's bits are known.
func (f Form) Exact() bool {
	lo, hi := f.Bits()
	return lo == hi && !math.IsInf(lo, 1)
}

// PerByte is the form's surprise in bits per byte, or the least that it can be
// where it is not exact.
func (f Form) PerByte() float64 {
	lo, _ := f.Bits()
	return lo / float64(f.Bytes)
}

// unknown reports whether not even a bound of the form was reached.
func (f Form) unknown() bool { return f.Reason != "" || len(f.Steps) == 0 }

// longestName is how many characters of a form stand in a reason.
const longestName = 60

// reason is why the form is not exact.
func (f Form) reason() string {
	name := f.Text
	if len(name) > longestName {
		if r := []rune(name); len(r) > longestName {
			name = string(r[:longestName-1]) + "…"
		}
	}
	switch {
	case f.Reason != "":
		return name + ": " + f.Reason
	case len(f.Steps) == 0:
		return name + ": no token was looked at"
	case f.Cut:
		return fmt.Sprintf("%s: it was followed for %d tokens only", name, len(f.Steps))
	}
	last := f.Steps[len(f.Steps)-1]
	return fmt.Sprintf("%s: token %d, %q, is not among the %d most probable", name, len(f.Steps), last.Text, len(last.Top))
}

// rounding is how far the probabilities that a server states may be off
// together: they are float32.
const rounding = 1e-5

// Check tells what is wrong with the most probable tokens that a server
// states, if anything: they come best first, each probability at most 1, their
// sum too.
func Check(top []Alternative) error {
	if len(top) == 0 {
		return errors.New("no alternatives")
	}
	sum := 0.0
	for i, a := range top {
		switch {
		case math.IsNaN(a.Logprob) || math.IsInf(a.Logprob, 0):
			return fmt.Errorf("alternative %d has the log-probability %v", i+1, a.Logprob)
		case a.Logprob > rounding:
			return fmt.Errorf("alternative %d has the log-probability %v, above 0", i+1, a.Logprob)
		case i > 0 && a.Logprob > top[i-1].Logprob:
			return fmt.Errorf("alternative %d is more probable than the one before it", i+1)
		}
		sum += math.Exp(a.Logprob)
	}
	if sum > 1+rounding {
		return fmt.Errorf("the alternatives' probabilities sum to %v, above 1", sum)
	}
	return nil
}

// Beyond returns the step of a token that is not among the alternatives, which
// Check has passed: its probability is at most that of the last of them, and at
// most what they leave. A token as probable as the last alternative is taken
// to rank behind it, unless alternatives share that place already.
func Beyond(top []Alternative) Step {
	left := 1 + rounding
	for _, a := range top {
		left -= math.Exp(a.Logprob)
	}
	last := top[len(top)-1].Logprob
	rank := len(top) + 1
	if n := len(top); n > 1 && top[n-2].Logprob == last {
		rank = Rank(top, last)
	}
	return Step{Logprob: min(0, last, math.Log(max(left, rounding))), Rank: rank, Top: top}
}

// Rank is 1 + the number of alternatives that are strictly more probable.
func Rank(top []Alternative, logprob float64) int {
	rank := 1
	for _, a := range top {
		if a.Logprob > logprob {
			rank++
		}
	}
	return rank
}

func unscored(metric, reason string) metrics.Score {
	return metrics.Score{Metric: metric, Status: metrics.Unscored, Reason: reason}
}

func scored(metric string, value float64) metrics.Score {
	return metrics.Score{Metric: metric, Value: value, Status: metrics.Scored}
}
