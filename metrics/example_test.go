package metrics_test

import (
	"fmt"

	"github.com/disteval/disteval/metrics"
)

func ExampleFind() {
	scores := []metrics.Score{
		{Metric: metrics.EM, Value: 1, Status: metrics.Scored},
		{Metric: metrics.Cosine, Status: metrics.Unscored, Reason: "no word has a vector"},
	}
	for _, m := range metrics.Text() {
		if s := metrics.Find(scores, m.Name); s.Number() != nil {
			fmt.Printf("%s: %g, %s is better\n", m.Title, s.Value, m.Better)
		}
	}
	fmt.Println(metrics.Find(scores, metrics.Cosine).Reason)
	// Output:
	// EM: 1, higher is better
	// no word has a vector
}
