package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestSamplesNarrowTheIntervalAsTheyShould draws queries of unequal difficulty,
// asks each once and five times, and holds the widths of the intervals of the
// means by query against the spread that the means really have: five samples
// take the noise within a query away, and not the spread between queries.
func TestSamplesNarrowTheIntervalAsTheyShould(t *testing.T) {
	const queries, runs = 120, 200
	random := rand.New(rand.NewPCG(7, 11))
	widths := map[int]float64{}
	spreads := map[int]float64{}
	for _, samples := range []int{1, 5} {
		covered := 0
		var means []float64
		for range runs {
			byQuery := make([]float64, queries)
			for q := range byQuery {
				p := random.Float64() // of a right answer, uniform over the queries
				for range samples {
					if random.Float64() < p {
						byQuery[q] += 1 / float64(samples)
					}
				}
			}
			s := MeanBootstrap(byQuery, 1)
			if s.Lo <= 0.5 && 0.5 <= s.Hi {
				covered++
			}
			widths[samples] += (s.Hi - s.Lo) / runs
			means = append(means, s.Mean)
		}
		if share := float64(covered) / runs; share < 0.90 || share > 0.99 {
			t.Errorf("%d samples: %.3f of the intervals hold the true mean, want 0.95", samples, share)
		}
		sum := 0.0
		for _, m := range means {
			sum += (m - 0.5) * (m - 0.5)
		}
		spreads[samples] = math.Sqrt(sum / runs)
		if ratio := widths[samples] / (2 * 1.96 * spreads[samples]); ratio < 0.85 || ratio > 1.15 {
			t.Errorf("%d samples: intervals are %.2f times as wide as the means spread", samples, ratio)
		}
	}
	// p is uniform: variance 1/12 between queries and 1/6 within a query.
	want := math.Sqrt((1./12 + 1./30) / (1./12 + 1./6))
	if got := widths[5] / widths[1]; math.Abs(got-want) > 0.03 {
		t.Errorf("five samples make the interval %.3f times as wide, want %.3f", got, want)
	}
}
