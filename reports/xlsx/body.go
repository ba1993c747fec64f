package xlsx

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strconv"

	"github.com/klauspost/compress/flate"
)

// Sizes in bytes.
const (
	blockSize    = 256 << 10 // of text that is compressed at once
	bodyInMemory = 2 << 20   // of compressed text, for each sheet
)

// body is the middle of a sheet, its columns and rows, as the XML that they
// have in the file. It is compressed as it comes and waits for the file to be
// written: in memory and, of a large one, in a temporary file.
type body struct {
	to    *compressor
	block []byte // not compressed yet

	// These are the compressor's until it has stopped.
	deflated bytes.Buffer
	file     *os.File // what comes before deflated
	inFile   int64
	size     int64 // of the text
	crc      uint32
	err      error
}

// columns begins a body; widths are in characters.
func (b *body) columns(widths []float64) {
	text := []byte("<cols>")
	for i, width := range widths {
		text = strconv.AppendInt(append(text, `<col min="`...), int64(i+1), 10)
		text = strconv.AppendInt(append(text, `" max="`...), int64(i+1), 10)
		text = strconv.AppendFloat(append(text, `" width="`...), width, 'f', -1, 64)
		text = append(text, `" customWidth="1"/>`...)
	}
	b.add(append(text, "</cols><sheetData>"...))
}

// add takes in a copy of more text.
func (b *body) add(text []byte) {
	if b.block = append(b.block, text...); len(b.block) >= blockSize {
		b.flush()
	}
}

// flush hands on what is not compressed yet.
func (b *body) flush() { b.block = b.to.compress(b, b.block) }

// deflate compresses a block so that it can stand anywhere in a stream.
func (b *body) deflate(w *flate.Writer, block []byte) error {
	b.crc = crc32.Update(b.crc, crc32.IEEETable, block)
	b.size += int64(len(block))
	w.Reset(&b.deflated)
	if _, err := w.Write(block); err != nil {
		return err
	}
	if err := w.Flush(); err != nil || b.deflated.Len() < bodyInMemory {
		return err
	}
	if err := b.spill(); err != nil {
		return fmt.Errorf("set rows of the workbook aside: %w", err)
	}
	return nil
}

// spill moves what is in memory to the file.
func (b *body) spill() (err error) {
	if b.file == nil {
		if b.file, err = os.CreateTemp("", "disteval-*.deflate"); err != nil {
			return err
		}
	}
	n, err := b.deflated.WriteTo(b.file)
	b.inFile += n
	return err
}

// deflatedSize is how many bytes WriteTo writes.
func (b *body) deflatedSize() int64 { return b.inFile + int64(b.deflated.Len()) }

// WriteTo writes all of it, compressed.
func (b *body) WriteTo(w io.Writer) (n int64, err error) {
	if b.file != nil {
		if _, err := b.file.Seek(0, io.SeekStart); err != nil {
			return 0, err
		}
		if n, err = io.Copy(w, b.file); err != nil {
			return n, err
		}
	}
	rest, err := b.deflated.WriteTo(w)
	return n + rest, err
}

// Close removes the file.
func (b *body) Close() error {
	if b.file == nil {
		return nil
	}
	return errors.Join(b.file.Close(), os.Remove(b.file.Name()))
}
