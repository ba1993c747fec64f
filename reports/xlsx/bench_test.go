package xlsx

import (
	"archive/zip"
	"bytes"
	"compress/flate"
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

// BenchmarkDeflate compresses the largest sheet of such a report, with what the
// workbook uses and with the standard library.
func BenchmarkDeflate(b *testing.B) {
	sheet := largestPart(b, 20_000)
	standard, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		b.Fatal(err)
	}
	for name, w := range map[string]interface {
		io.WriteCloser
		Reset(io.Writer)
	}{"ours": newDeflate(), "standard": standard} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(sheet)))
			var out bytes.Buffer
			for b.Loop() {
				out.Reset()
				w.Reset(&out)
				if _, err := w.Write(sheet); err != nil {
					b.Fatal(err)
				}
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(out.Len())/float64(len(sheet)), "compressed/text")
		})
	}
}

// largestPart is the text of the largest part of a workbook of so many replies.
func largestPart(b *testing.B, replies int) []byte {
	b.Helper()
	var book bytes.Buffer
	if err := Write(b.Context(), &book, sample(replies/2)); err != nil {
		b.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(book.Bytes()), int64(book.Len()))
	if err != nil {
		b.Fatal(err)
	}
	largest := archive.File[0]
	for _, part := range archive.File {
		if part.UncompressedSize64 > largest.UncompressedSize64 {
			largest = part
		}
	}
	r, err := largest.Open()
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		b.Fatal(err)
	}
	return text
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
