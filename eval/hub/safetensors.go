package hub

import (
	"archive/zip"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	maxHeader = 100_000_000 // bytes, the format's own bound
	maxShared = 4           // most bytes written per byte of a checkpoint

	metadataKey = "__metadata__" // of the header's one line that is no tensor
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
// file in a folder, or one made to make its reader stumble.
func checkSafetensors(file File) (header, error) {
	f, err := os.Open(file.Path)
	if err != nil {
		return header{}, fmt.Errorf("read %s: %w", file.Path, err)
	}
	defer f.Close()
	h, err := readHeader(f, file.Size)
	if err != nil {
		return h, &Error{"read " + file.Path, fmt.Errorf("not a whole safetensors file: %w", err), "get the file again, or name another source"}
	}
	return h, nil
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
	var lines map[string]json.RawMessage
	if err := json.Unmarshal(text, &lines); err != nil {
		return header{}, fmt.Errorf("its header: %w", err)
	}
	delete(lines, metadataKey)
	h := header{make(map[string]entry, len(lines)), 8 + int64(length)}
	data := size - h.start
	for name, raw := range lines {
		var e entry
		if err := json.Unmarshal(raw, &e); err != nil {
			return h, fmt.Errorf("tensor %q: %w", name, err)
		}
		if len(e.Offsets) != 2 || e.Offsets[0] < 0 || e.Offsets[1] < e.Offsets[0] || e.Offsets[1] > data {
			return h, fmt.Errorf("tensor %q lies at bytes %v of %d", name, e.Offsets, data)
		}
		h.tensors[name] = e
	}
	return h, nil
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
