package text_test

import (
	"fmt"

	"github.com/disteval/disteval/metrics/text"
)

func ExampleScorer() {
	const reply = "It's not Paris, it is Lyon."
	var s text.Scorer
	var words text.Words
	words.Reset(reply)

	match := s.Keyword("Paris", nil, reply, &words)
	fmt.Printf("found %q, negated by %q\n", reply[match.Start:match.End], match.Negated)

	rouge := s.Rouge("it is Paris", reply)
	fmt.Printf("%d of %d tokens shared, F1 %.3f\n", rouge.LCS, rouge.Reference, rouge.F1)
	// Output:
	// found "Paris", negated by "not"
	// 2 of 3 tokens shared, F1 0.400
}
