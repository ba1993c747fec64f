package vector_test

import (
	"fmt"
	"strings"

	"github.com/disteval/disteval/metrics/vector"
)

func ExampleCosine() {
	bag := func(text string) *vector.Bag {
		var b vector.Bag
		for _, word := range strings.Fields(text) {
			b.Add([]byte(word))
		}
		return &b
	}
	near, _ := vector.Cosine(bag("paris"), bag("the capital is lyon"))
	far, _ := vector.Cosine(bag("paris"), bag("seven bananas"))
	_, ok := vector.Cosine(bag("paris"), bag("qxzzv"))
	fmt.Println(near > far, ok)
	// Output:
	// true false
}
