package xlsx

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
)

// BenchmarkWrite writes reports of so many replies. rss-MB is the process's
// peak of memory, where the system tells: run one size at a time for it.
func BenchmarkWrite(b *testing.B) {
	for _, replies := range []int{2, 2_000, 100_000} {
		b.Run(fmt.Sprint(replies), func(b *testing.B) {
			r := sample(replies / 2)
			b.ReportAllocs()
			for b.Loop() {
				if err := Write(b.Context(), io.Discard, r); err != nil {
					b.Fatal(err)
				}
			}
			if mb, ok := peakMB(); ok {
				b.ReportMetric(mb, "rss-MB")
			}
		})
	}
}

// peakMB is the most memory that the process has had, in 10^6 bytes.
func peakMB() (float64, bool) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, false
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	number, _, found := strings.Cut(after, " kB")
	kb, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	return kb * 1024 / 1e6, found && err == nil
}
