package hub

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
)

const (
	maxHeader = 100_000_000 // bytes, the format's own bound
	maxShared = 4           // most bytes written per byte of a checkpoint

	metadataKey = "__metadata__" // of the header's one line that is not a tensor
)

// header describes a safetensors file, every offset within it.
type header struct {
	tensors map[string]entry
	start   int64 // of the data, in bytes
}

// entry is a tensor's line in the header of a safetensors file.
type entry struct {
	DType   string  `json:"dtype"`
	Shape   []int64 `json:"shape"`
	Offsets []int64 `json:"data_offsets"` // two: bytes from the end of the header
}

// checkSafetensors refuses a file whose header does not describe it: half a
// file in a folder, or one made to make its reader stumble. A tensor that
// another file holds already is refused too; holder gets the names of this one.
func checkSafetensors(file File, holder map[string]string) (header, error) {
	f, err := os.Open(file.Path)
	if err != nil {
		return header{}, fmt.Errorf("read %s: %w", file.Path, err)
	}
	defer f.Close()
	h, err := readHeader(f, file.Size)
	for name := range h.tensors {
		if other, twice := holder[name]; twice && err == nil {
			err = fmt.Errorf("tensor %.80q is in %s too", name, other)
		}
		holder[name] = file.Name
	}
	if err != nil {
		return h, &Error{"read " + file.Path, fmt.Errorf("not a whole safetensors file: %w", err), "get the file again, or name another source"}
	}
	return h, nil
}

// widths are the bytes of one number of each type that the format has.
var widths = map[string]int64{
	"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1,
	"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
}

func readHeader(r io.Reader, size int64) (header, error) {
	var length uint64
	if err := binary.Read(r, binary.LittleEndian, &length); err != nil {
		return header{}, errors.New("it is shorter than 8 bytes")
	}
	if length > maxHeader || size < 8 || int64(length) > size-8 {
		return header{}, fmt.Errorf("its header claims %d bytes, the file has %d", length, size)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return header{}, fmt.Errorf("read its header: %w", err)
	}
	h := header{make(map[string]entry), 8 + int64(length)}
	if err := h.parse(text); err != nil {
		return h, fmt.Errorf("its header: %w", err)
	}
	return h, h.check(size - h.start)
}

// parse reads the header's lines one by one, because a map would keep the last
// of two lines of one name without a word.
func (h header) parse(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("it is not a JSON object")
	}
	described := false
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		var line json.RawMessage
		if err := d.Decode(&line); err != nil {
			return err
		}
		name := key.(string) // a decoder gives nothing else where a key stands
		if _, twice := h.tensors[name]; twice || name == metadataKey && described {
			return fmt.Errorf("tensor %.80q appears twice", name)
		}
		if name == metadataKey {
			described = true
			continue
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("tensor %.80q: %w", name, err)
		}
		h.tensors[name] = e
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	return nil
}

// check holds every tensor to its type and shape, and all of them to the data:
// one after the other, without overlap or hole, as the format asks.
func (h header) check(data int64) error {
	for name, e := range h.tensors {
		if err := e.check(data); err != nil {
			return fmt.Errorf("tensor %.80q %w", name, err)
		}
	}
	end, before := int64(0), ""
	for _, name := range h.inOrder() {
		at := h.tensors[name].Offsets
		switch {
		case at[0] < end:
			return fmt.Errorf("tensors %.80q and %.80q overlap at byte %d", before, name, at[0])
		case at[0] > end:
			return fmt.Errorf("there is a hole of %d bytes before tensor %.80q", at[0]-end, name)
		}
		end, before = at[1], name
	}
	if end != data && len(h.tensors) > 0 {
		return fmt.Errorf("its tensors end at byte %d of %d", end, data)
	}
	return nil
}

func (e entry) check(data int64) error {
	if len(e.Offsets) != 2 || e.Offsets[0] < 0 || e.Offsets[1] < e.Offsets[0] || e.Offsets[1] > data {
		return fmt.Errorf("lies at bytes %v of %d", e.Offsets, data)
	}
	size, known := widths[e.DType]
	if !known {
		return fmt.Errorf("is of type %.20q, which the format does not have", e.DType)
	}
	for _, n := range e.Shape {
		if n < 0 || n > 0 && size > math.MaxInt64/n {
			return fmt.Errorf("has the impossible shape %v", e.Shape)
		}
		size *= n
	}
	if held := e.Offsets[1] - e.Offsets[0]; size != held {
		return fmt.Errorf("of shape %v and type %s needs %d bytes and has %d", e.Shape, e.DType, size, held)
	}
	return nil
}

// inOrder lists the tensors as they lie in the file.
func (h header) inOrder() []string {
	return slices.SortedFunc(maps.Keys(h.tensors), func(a, b string) int {
		x, y := h.tensors[a].Offsets, h.tensors[b].Offsets
		return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1]), cmp.Compare(a, b))
	})
}

// writeSafetensors writes the format of huggingface/safetensors: the length of
// a JSON header, the header, and the tensors in row-major order.
func writeSafetensors(ctx context.Context, w io.Writer, tensors []namedTensor, tell func(done, total int64)) error {
	entries := make(map[string]entry, len(tensors))
	total, held := int64(0), int64(0)
	seen := make(map[*zip.File]bool)
	for _, t := range tensors {
		if !seen[t.storage.file] {
			seen[t.storage.file] = true
			held += int64(t.storage.file.UncompressedSize64)
		}
		end := total + t.count()*t.storage.dtype.bytes
		if _, twice := entries[t.name]; twice {
			return fmt.Errorf("tensor %q is there twice", t.name)
		}
		entries[t.name] = entry{t.storage.dtype.name, t.shape, []int64{total, end}}
		total = end
	}
	if total > maxShared*held {
		return fmt.Errorf("it makes %d bytes of tensors from %d: no model shares its weights that often", total, held)
	}
	if err := writeHeader(w, entries); err != nil {
		return err
	}
	done := int64(0)
	for _, t := range tensors {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := writeTensor(w, t.tensor); err != nil {
			return fmt.Errorf("tensor %s: %w", t.name, err)
		}
		done += t.count() * t.storage.dtype.bytes
		tell(done, total)
	}
	return nil
}

func writeHeader(w io.Writer, entries map[string]entry) error {
	lines := map[string]any{metadataKey: map[string]string{"format": "pt"}}
	for name, e := range entries {
		lines[name] = e
	}
	text, err := json.Marshal(lines)
	if err != nil {
		return fmt.Errorf("encode the header: %w", err)
	}
	for len(text)%8 != 0 {
		text = append(text, ' ') // keeps the numbers aligned
	}
	if err := binary.Write(w, binary.LittleEndian, uint64(len(text))); err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

// writeTensor writes the elements of a tensor in row-major order.
func writeTensor(w io.Writer, t tensor) error {
	if t.count() == 0 {
		return nil
	}
	r, err := t.storage.file.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	size := t.storage.dtype.bytes
	if t.contiguous() {
		if _, err := io.CopyN(io.Discard, r, t.offset*size); err != nil {
			return err
		}
		_, err := io.CopyN(w, r, t.count()*size)
		return err
	}
	// A transposed or cut-out view: its storage is gone through in any order.
	numbers, err := io.ReadAll(io.LimitReader(r, t.storage.count*size))
	if err != nil {
		return err
	}
	return writeView(w, t, numbers, t.offset, 0)
}

// writeView writes dimension dim of a view that begins at element at.
func writeView(w io.Writer, t tensor, numbers []byte, at int64, dim int) error {
	size := t.storage.dtype.bytes
	if dim == len(t.shape) {
		_, err := w.Write(numbers[at*size : (at+1)*size])
		return err
	}
	for i := range t.shape[dim] {
		if err := writeView(w, t, numbers, at+i*t.stride[dim], dim+1); err != nil {
			return err
		}
	}
	return nil
}
