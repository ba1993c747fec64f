package html

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"slices"

	"github.com/klauspost/compress/flate"
)

// Bounds of a piece before it is compressed.
const (
	pieceReplies = 2_500
	pieceBytes   = 1 << 20
)

// piece is a compressed list of queries with their replies.
type piece struct {
	queries []int32
	data    []byte
}

// pieces gathers entries by class and keeps what fits into a budget: first the
// lower classes, of each the first entries.
type pieces struct {
	perPiece int // queries
	budget   int // bytes in the page
	size     int // of what is kept
	closed   int // no entry of this class or a higher one is taken any more
	open     [classes]begun
	kept     [classes][]piece
	deflate  *flate.Writer
}

// begun is a piece that is not full yet.
type begun struct {
	queries []int32
	text    []byte
}

func newPieces(repliesOfQuery, budget int) *pieces {
	return &pieces{perPiece: max(1, pieceReplies/max(1, repliesOfQuery)), budget: budget, closed: classes}
}

// takes reports whether an entry of a class may still find room.
func (p *pieces) takes(class int) bool { return class < p.closed }

// add takes in a query's entry.
func (p *pieces) add(class, query int, entry []byte) error {
	o := &p.open[class]
	o.text = append(o.text, "[,"[min(1, len(o.queries))])
	o.text = append(o.text, entry...)
	if o.queries = append(o.queries, int32(query)); len(o.queries) < p.perPiece && len(o.text) < pieceBytes {
		return nil
	}
	return p.close(class)
}

// close ends a class's open piece and drops what no longer fits.
func (p *pieces) close(class int) error {
	o := &p.open[class]
	if len(o.queries) == 0 || class >= p.closed {
		return nil
	}
	data, err := p.pack(append(o.text, ']'))
	if err != nil {
		return err
	}
	p.kept[class] = append(p.kept[class], piece{slices.Clone(o.queries), data})
	p.size += sizeInPage(data)
	o.queries, o.text = o.queries[:0], o.text[:0]
	p.drop(p.budget)
	return nil
}

// drop leaves out the last pieces of the highest classes until the rest fits.
func (p *pieces) drop(budget int) {
	for class := classes - 1; class >= 0; class-- {
		for n := len(p.kept[class]); n > 0 && p.size > budget; n-- {
			p.size -= sizeInPage(p.kept[class][n-1].data)
			p.kept[class], p.closed = p.kept[class][:n-1], min(p.closed, class)
		}
	}
}

// finish ends all pieces, so that so many bytes of the budget are left.
func (p *pieces) finish(leave int) error {
	for class := range classes {
		if err := p.close(class); err != nil {
			return err
		}
	}
	p.drop(p.budget - leave)
	if n := len(slices.Concat(p.kept[:]...)); n > math.MaxUint16 {
		return fmt.Errorf("%d pieces, more than a column can number", n)
	}
	return nil
}

// all are the pieces that are kept.
func (p *pieces) all() []piece { return slices.Concat(p.kept[:]...) }

// sizeInPage is what a piece takes with its element.
func sizeInPage(data []byte) int { return 70 + base64.StdEncoding.EncodedLen(len(data)) }

// pack compresses as the browser's "deflate-raw" has it.
func (p *pieces) pack(data []byte) ([]byte, error) {
	var out bytes.Buffer
	if p.deflate == nil {
		var err error
		if p.deflate, err = flate.NewWriter(&out, flate.DefaultCompression); err != nil {
			return nil, err
		}
	}
	p.deflate.Reset(&out)
	if _, err := p.deflate.Write(data); err != nil {
		return nil, err
	}
	err := p.deflate.Close()
	return slices.Clip(slices.Clone(out.Bytes())), err
}
