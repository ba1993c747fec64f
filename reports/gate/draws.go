package gate

import (
	"fmt"
	"hash/fnv"
	"io"
	"math"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/metrics/stat"
)

// sampled reports whether a measure is one of runs that ask every query more
// than once.
func sampled(measure string) bool { return measure == EMAny || measure == IdenticalTexts }

// drawing is what the samples of one query are.
type drawing struct {
	answered, failed int
	right            bool   // any sample, by em
	honest           bool   // any of these is no dump of answers
	first            uint64 // of the texts; FNV-1a
	differ           bool   // they are not all one
}

// draw takes a sample into account.
func (s *sight) draw(r eval.ScoredReply) {
	if s.draws == nil {
		s.draws = make(map[string]*drawing)
	}
	d := s.draws[r.Reply.Query]
	if d == nil {
		d = new(drawing)
		s.draws[r.Reply.Query] = d
	}
	if r.Reply.Failure != nil {
		d.failed++
		return
	}
	h := fnv.New64a()
	_, _ = io.WriteString(h, r.Reply.Text) // a hash never fails to take bytes
	if d.answered++; d.answered == 1 {
		d.first = h.Sum64()
	}
	d.differ = d.differ || d.first != h.Sum64()
	if em := emOf(r.Scores); em != nil && *em == 1 {
		d.right = true
		d.honest = d.honest || !scoring.Dumped(r.Flags)
	}
}

// answeredQueries are those with an answer to any sample.
func (s sight) answeredQueries() (n int) {
	for _, d := range s.draws {
		if d.answered > 0 {
			n++
		}
	}
	return n
}

// shareOfQueries is a share of all queries. A sample that failed could have been
// right, and could have been another text.
func (s sight) shareOfQueries(measure string, at float64) share {
	out := share{at: at, common: measure == EMAny && s.dumpsCommon()}
	failed, dumped := 0, 0
	for _, d := range s.draws {
		var least, most bool
		if measure == EMAny {
			least, most = d.honest, d.right || d.failed > 0
		} else {
			least, most = !d.differ && d.failed == 0, !d.differ
		}
		if least {
			out.low++
		}
		if most {
			out.high++
		}
		if least != most && d.failed > 0 {
			failed++
		} else if least != most {
			dumped++
		}
	}
	n := float64(len(s.draws))
	out.low, out.high = out.low/n, out.high/n
	if failed > 0 {
		out.why = append(out.why, fmt.Sprintf("samples of %d queries failed", failed))
	}
	if dumped > 0 {
		out.why = append(out.why, fmt.Sprintf("on %d queries only dumps of answers are right", dumped))
	}
	return out
}

// unlikeSamples says why a share of queries cannot be compared with what is
// expected of it: with more samples more queries are right in one of them, and
// fewer are alike in all.
func (c *checker) unlikeSamples(b Bound, x *float64) string {
	switch k := max(1, c.report.Plan.Samples); {
	case k != b.Samples:
		return fmt.Sprintf("the run asks every query %d times, and this is of %d samples", k, b.Samples)
	case x == nil:
		return "the run has no such figure"
	}
	return ""
}

// interval is the Wilson interval of a share of queries, for people.
func (s sight) interval(at float64) string {
	n := len(s.draws)
	lo, hi := stat.Wilson(int(math.Round(at*float64(n))), n, stat.Confidence)
	return fmt.Sprintf("95 %% interval %.3f to %.3f", lo, hi)
}
