package hub

import (
	"archive/zip"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

const elsewhere = "name a source with safetensors or GGUF instead"

// converter writes the safetensors file dest from a file of weights.
type converter func(ctx context.Context, weights, dest string, tell func(done, total int64)) error

// converted returns what convert makes of a file of weights, from the cache
// where it was made before: the name there is the hash of the weights.
func (c *Client) converted(ctx context.Context, weights File, convert converter, tell Progress) (File, error) {
	name := strings.TrimPrefix(weights.Name, "pytorch_")
	name = strings.TrimSuffix(name, filepath.Ext(name)) + ".safetensors"
	dir := filepath.Join(c.cache, "converted")
	dest := filepath.Join(dir, weights.SHA256+".safetensors")
	if _, err := os.Stat(dest); err != nil {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return File{}, fmt.Errorf("make the cache folder: %w", err)
		}
		step := func(done, total int64) { tell("convert "+weights.Name, done, total) }
		if err := convert(ctx, weights.Path, dest, step); err != nil {
			return File{}, err
		}
	}
	return check(ctx, dest, remote{name: name, size: -1}, tell)
}

// Convert writes the tensors of a PyTorch checkpoint as a safetensors file.
// The checkpoint is read as data: nothing in it is run. Tensors that share
// their numbers are each written whole. dest is complete or not there.
func Convert(ctx context.Context, checkpoint, dest string, tell func(done, total int64)) error {
	doing := "convert " + checkpoint
	archive, err := zip.OpenReader(checkpoint)
	if errors.Is(err, zip.ErrFormat) {
		return &Error{doing, errors.New("it is not a ZIP archive: PyTorch before 1.6 wrote it, or it is damaged"),
			"load and save it once with a newer PyTorch, or name a source with safetensors or GGUF"}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	defer archive.Close()
	tensors, err := readCheckpoint(&archive.Reader)
	if err != nil {
		return &Error{doing, err, elsewhere}
	}
	slices.SortFunc(tensors, func(a, b namedTensor) int { return strings.Compare(a.name, b.name) })
	return store(ctx, doing, dest, func(w io.Writer) error { return writeSafetensors(ctx, w, tensors, tell) })
}

// store writes a file that is complete or not there, and says what keeps it
// from being.
func store(ctx context.Context, doing, dest string, write func(io.Writer) error) error {
	err := writeWhole(dest, write)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC):
		return &Error{doing, err, "make room in " + filepath.Dir(dest) + ", then " + again}
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	}
	return &Error{doing, err, elsewhere}
}

func writeWhole(dest string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(dest), "converting-*")
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(f, 1<<20)
	err = write(buffered)
	if err == nil {
		err = buffered.Flush()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), dest)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
