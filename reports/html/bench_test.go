package html

import (
	"fmt"
	"io"
	"testing"
)

// BenchmarkWrite writes pages of so many replies, which stand in them as they
// are.
func BenchmarkWrite(b *testing.B) {
	for _, replies := range []int{3, 2_001} {
		b.Run(fmt.Sprint(replies), func(b *testing.B) {
			r := sampleReport(replies / len(sampleModels))
			b.ReportAllocs()
			for b.Loop() {
				if err := Write(b.Context(), io.Discard, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
