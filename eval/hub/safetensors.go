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
)

// checkSafetensors refuses a file whose header does not describe it: half a
// file in a folder, or one made to make its reader stumble.
func checkSafetensors(file File) error {
	f, err := os.Open(file.Path)
	if err != nil {
		return fmt.Errorf("read %s: %w", file.Path, err)
	}
	defer f.Close()
	if err := checkHeader(f, file.Size); err != nil {
		return &Error{"read " + file.Path, fmt.Errorf("not a whole safetensors file: %w", err), "get the file again, or name another source"}
	}
	return nil
}

func checkHeader(r io.Reader, size int64) error {
	var length uint64
	if err := binary.Read(r, binary.LittleEndian, &length); err != nil {
		return errors.New("it is shorter than 8 bytes")
	}
	if length > maxHeader || size < 8 || int64(length) > size-8 {
		return fmt.Errorf("its header claims %d bytes, the file has %d", length, size)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return fmt.Errorf("read its header: %w", err)
	}
	var header map[string]json.RawMessage
	if err := json.Unmarshal(text, &header); err != nil {
		return fmt.Errorf("its header: %w", err)
	}
	data := size - 8 - int64(length)
	for name, raw := range header {
		if name == "__metadata__" {
			continue
		}
		var e struct {
			Offsets []int64 `json:"data_offsets"`
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		if len(e.Offsets) != 2 || e.Offsets[0] < 0 || e.Offsets[1] < e.Offsets[0] || e.Offsets[1] > data {
			return fmt.Errorf("tensor %q lies at bytes %v of %d", name, e.Offsets, data)
		}
	}
	return nil
}

// entry is a tensor's line in the header of a safetensors file.
type entry struct {
	DType   string   `json:"dtype"`
	Shape   []int64  `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"` // bytes from the end of the header
}

// writeSafetensors writes the format of huggingface/safetensors: the length of
// a JSON header, the header, and the tensors in row-major order.
func writeSafetensors(ctx context.Context, w io.Writer, tensors []namedTensor, tell func(done, total int64)) error {
	header := make(map[string]any, len(tensors)+1)
	header["__metadata__"] = map[string]string{"format": "pt"}
	total, held := int64(0), int64(0)
	seen := make(map[*zip.File]bool)
	for _, t := range tensors {
		if !seen[t.storage.file] {
			seen[t.storage.file] = true
			held += int64(t.storage.file.UncompressedSize64)
		}
		end := total + t.count()*t.storage.dtype.bytes
		if _, twice := header[t.name]; twice {
			return fmt.Errorf("tensor %q is there twice", t.name)
		}
		header[t.name] = entry{t.storage.dtype.name, t.shape, [2]int64{total, end}}
		total = end
	}
	if total > maxShared*held {
		return fmt.Errorf("it makes %d bytes of tensors from %d: no model shares its weights that often", total, held)
	}
	text, err := json.Marshal(header)
	if err != nil {
		return fmt.Errorf("encode the header: %w", err)
	}
	for len(text)%8 != 0 {
		text = append(text, ' ') // keeps the numbers aligned
	}
	if err := binary.Write(w, binary.LittleEndian, uint64(len(text))); err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
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
