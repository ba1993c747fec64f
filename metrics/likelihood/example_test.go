package likelihood_test

import (
	"fmt"
	"math"

	"github.com/disteval/disteval/metrics/likelihood"
)

func ExampleScore() {
	// " Paris" comes with a probability of 1/8, as the second of all tokens.
	paris := likelihood.Form{Text: "Paris", Bytes: 6, Steps: []likelihood.Step{{Logprob: math.Log(1.0 / 8), Known: true, Rank: 2}}}
	a := likelihood.Score([]likelihood.Form{paris})
	fmt.Printf("%g bits, %g a byte, rank %d\n", a.Bits.Value, a.PerByte.Value, a.Rank)
	for _, s := range a.Top {
		fmt.Println(s.Metric, s.Value)
	}
	// Output:
	// 3 bits, 0.5 a byte, rank 2
	// answer_top1 0
	// answer_top5 1
	// answer_top20 1
}
