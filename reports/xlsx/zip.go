package xlsx

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"
)

// archive is the file's parts as the library hands them over, compressed
// straight into the file. In sheets it puts our bodies, since the library knows
// nothing of their columns and rows.
type archive struct {
	*zip.Writer
	deflate *flate.Writer    // of sheets
	bodies  map[string]*body // by the name of the part, until they are in it
	err     error            // the first; the library passes over some
}

// newArchive takes over the compressor of the sheets' bodies, which must have
// stopped. Other parts have one of their own: what the last of them has not
// written yet may still be in it when a sheet comes.
func newArchive(w io.Writer, c *compressor, sheets []*sheet) *archive {
	a := &archive{Writer: zip.NewWriter(w), deflate: c.deflate, bodies: make(map[string]*body, len(sheets))}
	others := newDeflate()
	a.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) {
		others.Reset(out)
		return others, nil
	})
	for i, s := range sheets {
		// The library numbers sheets as they are made.
		a.bodies[fmt.Sprintf("xl/worksheets/sheet%d.xml", i+1)] = s.body
	}
	return a
}

// Create begins a part.
func (a *archive) Create(name string) (io.Writer, error) {
	if b := a.bodies[name]; b != nil {
		return &sheetPart{a, name, b}, nil
	}
	w, err := a.Writer.Create(name)
	return &otherPart{a, w}, a.note(err)
}

func (a *archive) note(err error) error {
	if a.err == nil {
		a.err = err
	}
	return err
}

// result tells what went wrong, and whether any sheet was left without its rows.
func (a *archive) result() error {
	if a.err == nil && len(a.bodies) > 0 {
		return errors.New("the spreadsheet library did not write every sheet") // another version of it may name them differently
	}
	return a.err
}

// otherPart is a part as the library writes it.
type otherPart struct {
	archive *archive
	out     io.Writer
}

func (p *otherPart) Write(text []byte) (int, error) {
	n, err := p.out.Write(text)
	return n, p.archive.note(err)
}

// sheetPart is a sheet, which the library writes at once.
type sheetPart struct {
	archive *archive
	name    string
	body    *body
}

func (p *sheetPart) Write(text []byte) (int, error) {
	if err := p.write(text); err != nil {
		return 0, p.archive.note(fmt.Errorf("%s: %w", p.name, err))
	}
	delete(p.archive.bodies, p.name)
	return len(text), nil
}

// noRows is where the body of a sheet belongs.
var noRows = []byte("<sheetData></sheetData>")

// write writes what stands before the body, the body, which is compressed
// already, and what stands after it as one stream.
func (p *sheetPart) write(text []byte) error {
	before, after, found := bytes.Cut(text, noRows)
	if !found {
		return errors.New("the spreadsheet library wrote a sheet without a place for rows")
	}
	if p.body.err != nil {
		return p.body.err
	}
	after = append([]byte("</sheetData>"), after...)
	var start, end bytes.Buffer
	deflate := p.archive.deflate
	deflate.Reset(&start)
	_, errBefore := deflate.Write(before)
	errBefore = errors.Join(errBefore, deflate.Flush())
	deflate.Reset(&end)
	_, errAfter := deflate.Write(after)
	if err := errors.Join(errBefore, errAfter, deflate.Close()); err != nil {
		return err
	}
	crc := joinedCRC(crc32.ChecksumIEEE(before), p.body.crc, p.body.size)
	crc = joinedCRC(crc, crc32.ChecksumIEEE(after), int64(len(after)))
	const sizesFollow = 8 // as for parts that are compressed as they are written
	out, err := p.archive.CreateRaw(&zip.FileHeader{Name: p.name, Method: zip.Deflate, Flags: sizesFollow, CRC32: crc,
		CompressedSize64:   uint64(int64(start.Len()+end.Len()) + p.body.deflatedSize()),
		UncompressedSize64: uint64(int64(len(before)+len(after)) + p.body.size)})
	if err != nil {
		return err
	}
	for _, part := range []io.WriterTo{&start, p.body, &end} {
		if _, err := part.WriteTo(out); err != nil {
			return err
		}
	}
	return nil
}
