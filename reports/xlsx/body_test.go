package xlsx

import (
	"bytes"
	"compress/flate"
	"encoding/hex"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// TestLargeBody: more than is kept in memory comes back whole and in order, and
// leaves nothing behind.
func TestLargeBody(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir) // Windows
	c := newCompressor()
	defer c.stop()
	b := &body{to: c}
	random, want := rand.NewChaCha8([32]byte{1}), crc32.NewIEEE()
	text, size := make([]byte, 100_000), 0
	for size < 5*bodyInMemory/2 { // random digits shrink by half
		if _, err := random.Read(text[:len(text)/2]); err != nil {
			t.Fatal(err)
		}
		hex.Encode(text, bytes.Clone(text[:len(text)/2]))
		want.Write(text)
		size += len(text)
		b.add(text)
		b.add(text)
		want.Write(text)
		size += len(text)
	}
	b.flush()
	c.stop()
	if b.err != nil || b.file == nil || b.deflated.Len() > bodyInMemory {
		t.Errorf("error %v, a file: %t, %d bytes in memory", b.err, b.file != nil, b.deflated.Len())
	}
	var deflated bytes.Buffer
	sizeTold := b.deflatedSize()
	if n, err := b.WriteTo(&deflated); err != nil || n != sizeTold || n != int64(deflated.Len()) {
		t.Errorf("%d of %d bytes written, error %v", n, sizeTold, err)
	}
	got := crc32.NewIEEE()
	deflated.WriteString("\x03\x00") // the end of a stream
	if n, err := io.Copy(got, flate.NewReader(&deflated)); err != nil || n != int64(size) || n != b.size {
		t.Errorf("%d of %d bytes come back, error %v", n, size, err)
	}
	if got.Sum32() != want.Sum32() || b.crc != want.Sum32() {
		t.Errorf("CRC-32 %x, kept as %x, want %x", got.Sum32(), b.crc, want.Sum32())
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%d files are left, error %v", len(left), err)
	}
}

func TestJoinedCRC(t *testing.T) {
	text := []byte(strings.Repeat("one row after the other ", 1000))
	for _, at := range []int{0, 1, 7, 8, 1000, 16_384, len(text) - 1, len(text)} {
		first, second := text[:at], text[at:]
		if got, want := joinedCRC(crc32.ChecksumIEEE(first), crc32.ChecksumIEEE(second), int64(len(second))), crc32.ChecksumIEEE(text); got != want {
			t.Errorf("parted at %d: %08x, want %08x", at, got, want)
		}
	}
}

// TestSheetWithoutRows: a file whose sheets the library writes otherwise than we
// think, or whose rows could not be kept, is an error, never a sheet without
// rows.
func TestSheetWithoutRows(t *testing.T) {
	for name, spoil := range map[string]func(*sheet) error{
		"library names it otherwise": func(s *sheet) error {
			s.book.sheets = append(s.book.sheets, &sheet{body: &body{to: s.book.compressor}})
			return nil
		},
		"library has no place for rows": func(s *sheet) error { return s.out.SetRow("A1", []any{1}) },
		"disk is full":                  func(s *sheet) error { s.body.err = errFull; return nil },
	} {
		t.Run(name, func(t *testing.T) {
			b := newWorkbook(limits{})
			defer b.close()
			s, err := b.open("Sheet1", []float64{20})
			if err != nil {
				t.Fatal(err)
			}
			if err := spoil(s); err != nil {
				t.Fatal(err)
			}
			if err := s.out.Flush(); err != nil {
				t.Fatal(err)
			}
			if err := b.save(io.Discard); err == nil || !strings.Contains(err.Error(), strings.Fields(name)[0]) {
				t.Errorf("error %v", err)
			}
		})
	}
}
