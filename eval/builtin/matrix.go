package builtin

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
)

// matrix is row by row; a row has one output's weights. They are kept as they
// are stored where the processor has instructions that widen them: it reads
// less memory then, and gets the same numbers.
type matrix struct {
	rows, cols int
	data       []float32  // or, where that is nil,
	raw        []byte     // numbers of kind
	kind       tensorKind // never F32
}

// held is how the numbers of a tensor are kept in memory.
func (t tensorInfo) held() tensorKind {
	kind := t.kind
	if t.asF16 {
		kind = kindF16
	}
	if len(t.shape) != 2 || t.shape[0]%lanes != 0 || vector == nil || vector.widen[kind] == nil {
		return kindF32
	}
	return kind
}

// matrix reads a tensor of two dimensions.
func (t tensorInfo) matrix() (matrix, error) {
	m := matrix{rows: t.shape[1], cols: t.shape[0], kind: t.held()}
	if m.kind == t.kind && m.kind != kindF32 {
		m.raw = make([]byte, m.kind.bytes(t.count))
		if _, err := t.data.ReadAt(m.raw, t.offset); err != nil {
			return m, fmt.Errorf("read %d bytes at %d: %w", len(m.raw), t.offset, err)
		}
		return m, m.checkFinite()
	}
	data, err := t.floats()
	if m.kind == kindF32 {
		m.data = data
		return m, err
	}
	m.raw = make([]byte, 0, m.kind.bytes(t.count))
	for _, v := range data {
		m.raw = binary.LittleEndian.AppendUint16(m.raw, floatToHalf(v))
	}
	return m, err
}

func (m matrix) checkFinite() error {
	row := make([]float32, m.cols)
	for r := range m.rows {
		m.widen(row, r)
		for i, v := range row {
			if v-v != 0 { // NaN or infinite
				return fmt.Errorf("number %d is %v: the weights are corrupt", r*m.cols+i, v)
			}
		}
	}
	return nil
}

// widen sets out to the rows from r on, as many as it holds.
func (m matrix) widen(out []float32, r int) {
	if m.data != nil {
		copy(out, m.data[r*m.cols:])
		return
	}
	vector.widen[m.kind](&out[0], &m.raw[m.kind.bytes(r*m.cols)], len(out))
}

// mul sets each row of out to m times a row of x.
func (m matrix) mul(out, x table) {
	split(m.rows, panelRows, m.rows*m.cols*x.rows, func(from, to int) {
		if m.data != nil {
			multiply(out.columns(from, to-from), newTable(m.data[from*m.cols:], to-from, m.cols), x)
			return
		}
		room := panels.Get().(*[]float32)
		defer panels.Put(room)
		*room = slices.Grow((*room)[:0], panelRows*m.cols)[:panelRows*m.cols]
		for r := from; r < to; r += panelRows {
			w := newTable(*room, min(panelRows, to-r), m.cols)
			m.widen(w.data[:w.rows*w.cols], r)
			multiply(out.columns(r, w.rows), w, x)
		}
	})
}

// panels are rows of weights that are widened and used at once, while they are
// in the processor's cache.
var panels = sync.Pool{New: func() any { return new([]float32) }}
