package xlsx

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
)

// Sizes of what of a body is in memory, in bytes. Blocks start small, since
// most sheets have few rows, and are never grown: growing one copies it.
const (
	bodyInMemory = 8 << 20
	firstBlock   = 4 << 10
	largestBlock = 256 << 10
)

// body is the middle of a sheet, its columns and rows, as the XML that they
// have in the file. It waits for the file to be written: the end of it in memory
// and, of a large one, the rest in a temporary file.
type body struct {
	blocks [][]byte
	size   int // of the blocks
	file   *os.File
}

// columns begins a body; widths are in characters.
func (b *body) columns(widths []float64) error {
	text := []byte("<cols>")
	for i, width := range widths {
		text = strconv.AppendInt(append(text, `<col min="`...), int64(i+1), 10)
		text = strconv.AppendInt(append(text, `" max="`...), int64(i+1), 10)
		text = strconv.AppendFloat(append(text, `" width="`...), width, 'f', -1, 64)
		text = append(text, `" customWidth="1"/>`...)
	}
	return b.add(append(text, "</cols><sheetData>"...))
}

// add takes in a copy of more text.
func (b *body) add(text []byte) error {
	if b.size > bodyInMemory {
		if err := b.spill(); err != nil {
			return err
		}
	}
	last := len(b.blocks) - 1
	if last < 0 || len(b.blocks[last])+len(text) > cap(b.blocks[last]) {
		size := firstBlock
		if last >= 0 {
			size = min(2*cap(b.blocks[last]), largestBlock)
		}
		b.blocks = append(b.blocks, make([]byte, 0, max(size, len(text))))
		last++
	}
	b.blocks[last] = append(b.blocks[last], text...)
	b.size += len(text)
	return nil
}

// spill moves what is in memory to the file, the blocks' memory apart from the
// last one's being given up.
func (b *body) spill() (err error) {
	if b.file == nil {
		if b.file, err = os.CreateTemp("", "disteval-*.xml"); err != nil {
			return fmt.Errorf("set rows of the workbook aside: %w", err)
		}
	}
	for _, block := range b.blocks {
		if _, err := b.file.Write(block); err != nil {
			return fmt.Errorf("set rows of the workbook aside: %w", err)
		}
	}
	b.blocks, b.size = append(b.blocks[:0], b.blocks[len(b.blocks)-1][:0]), 0
	return nil
}

// WriteTo writes all of it.
func (b *body) WriteTo(w io.Writer) (n int64, err error) {
	if b.file != nil {
		if _, err := b.file.Seek(0, io.SeekStart); err != nil {
			return 0, err
		}
		if n, err = io.Copy(w, b.file); err != nil {
			return n, err
		}
	}
	for _, block := range b.blocks {
		written, err := w.Write(block)
		if n += int64(written); err != nil {
			return n, err
		}
	}
	return n, nil
}

// Close removes the file.
func (b *body) Close() error {
	if b.file == nil {
		return nil
	}
	return errors.Join(b.file.Close(), os.Remove(b.file.Name()))
}
