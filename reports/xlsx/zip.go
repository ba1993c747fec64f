package xlsx

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
)

// archive is the file's parts as the library hands them over, compressed
// straight into the file. In sheets it puts our bodies, since the library knows
// nothing of their columns and rows.
type archive struct {
	*zip.Writer
	bodies map[string]*body // by the name of the part, until they are in it
	err    error            // the library passes over some
}

// newArchive compresses quickly: sheets shrink tenfold all the same. Parts come
// one after the other, so that one compressor serves all; making one takes
// longer than to compress most parts.
func newArchive(w io.Writer, sheets []*sheet) *archive {
	a := &archive{Writer: zip.NewWriter(w), bodies: make(map[string]*body, len(sheets))}
	var one *flate.Writer
	a.RegisterCompressor(zip.Deflate, func(out io.Writer) (_ io.WriteCloser, err error) {
		if one != nil {
			one.Reset(out)
			return one, nil
		}
		one, err = flate.NewWriter(out, flate.BestSpeed)
		return one, err
	})
	for i, s := range sheets {
		// The library numbers sheets as they are made.
		a.bodies[fmt.Sprintf("xl/worksheets/sheet%d.xml", i+1)] = &s.body
	}
	return a
}

// Create begins a part.
func (a *archive) Create(name string) (io.Writer, error) {
	w, err := a.Writer.Create(name)
	if err != nil {
		return nil, err
	}
	return &archived{archive: a, name: name, out: w}, nil
}

// result tells what went wrong, and whether any sheet was left without its rows.
func (a *archive) result() error {
	if a.err == nil && len(a.bodies) > 0 {
		return errors.New("the spreadsheet library did not write every sheet") // another version of it may name them differently
	}
	return a.err
}

// archived is one part of the archive.
type archived struct {
	archive *archive
	name    string
	out     io.Writer
}

func (p *archived) Write(text []byte) (int, error) {
	err := p.write(text)
	if err != nil {
		p.archive.err = errors.Join(p.archive.err, fmt.Errorf("%s: %w", p.name, err))
		return 0, err
	}
	return len(text), nil
}

// noRows is where the body of a sheet belongs.
var noRows = []byte("<sheetData></sheetData>")

func (p *archived) write(text []byte) error {
	if body := p.archive.bodies[p.name]; body != nil {
		before, after, found := bytes.Cut(text, noRows)
		if !found {
			return errors.New("the spreadsheet library wrote a sheet without a place for rows")
		}
		if _, err := p.out.Write(before); err != nil {
			return err
		}
		if _, err := body.WriteTo(p.out); err != nil {
			return err
		}
		delete(p.archive.bodies, p.name)
		text = append([]byte("</sheetData>"), after...)
	}
	_, err := p.out.Write(text)
	return err
}
