package text

import (
	"fmt"
	"slices"
	"strings"

	"github.com/disteval/disteval/reports"
)

// reviewSummary is how people agree with em and with each other.
type reviewSummary struct {
	Reviewers []string    `json:"reviewers"`
	Verdicts  int         `json:"verdicts"`
	Agreement []agreement `json:"agreement"`
}

type agreement struct {
	Raters   [2]string `json:"raters"` // people, or a person and em
	N        int       `json:"n"`
	Observed *float64  `json:"observed"`
	Kappa    *float64  `json:"kappa"`
	CI95     *ci       `json:"ci95"`
}

func reviewsOf(s *reports.ReviewSummary) *reviewSummary {
	if s == nil {
		return nil
	}
	out := &reviewSummary{Reviewers: list(s.Reviewers), Verdicts: s.N, Agreement: []agreement{}}
	for _, a := range slices.Concat(s.WithEM, s.Between) {
		j := agreement{Raters: [2]string{a.A, a.B}, N: a.N, CI95: interval(a.HasInterval, a.Lo, a.Hi)}
		if a.N > 0 {
			j.Observed = finite(&a.Observed)
		}
		if a.HasKappa {
			j.Kappa = finite(&a.Kappa)
		}
		out.Agreement = append(out.Agreement, j)
	}
	return out
}

func writeReviews(b *strings.Builder, s *reports.ReviewSummary) {
	if s == nil {
		return
	}
	fmt.Fprintf(b, "\n### People's verdicts: %d\n\n| Raters | n | Rated alike | Cohen's kappa [95 %%] |\n|---|---:|---:|---:|\n", s.N)
	for _, a := range slices.Concat(s.WithEM, s.Between) {
		cells(b, code(a.A)+" and "+code(a.B), fmt.Sprint(a.N), a.ObservedText(), strings.TrimSuffix(a.KappaText()+" "+a.IntervalText(), " "+reports.None))
	}
}
