package queries_test

import (
	"fmt"
	"strings"

	"github.com/disteval/disteval/queries"
)

func ExampleRead() {
	const good = `{"id": "fr", "prompt": "The capital of France is", "keyword": "Paris", "aliases": ["Paname"]}`
	set, err := queries.Read(strings.NewReader(good), "capitals.jsonl", queries.JSONL)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(set.Queries[0].Answers())

	_, err = queries.Read(strings.NewReader(`{"id": "fr", "promt": "The capital of France is"}`), "capitals.jsonl", queries.JSONL)
	fmt.Println(err)
	// Output:
	// [Paris Paname]
	// capitals.jsonl:1: unknown key "promt"; did you mean "prompt"? It may be one of id, prompt, keyword, aliases, reference, category, difficulty, as_of
}
