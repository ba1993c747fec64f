package builtin

import (
	"io"
	"maps"
	"slices"
)

// Directory is what a GGUF file says of itself, whether or not this engine can
// run it.
type Directory struct {
	Metadata map[string]any // uint64, int64, float64, bool, string, []string, []float32, []int32; nil for a list of another type
	Entries  []Entry        // by name
}

// Entry is a tensor's line. Nothing in it has been compared with the file but
// the size of the shape.
type Entry struct {
	Name   string
	Kind   uint32 // GGUF's code of how the numbers are stored
	Type   string // its name, such as Q4_K
	Shape  []int  // rows, then columns
	Offset int64  // in the file, bytes
}

// ReadDirectory reads the directory of a GGUF file of size bytes.
func ReadDirectory(r io.ReaderAt, size int64) (Directory, error) {
	f, end, err := readDirectory(r, size)
	if err != nil {
		return Directory{}, err
	}
	start, err := f.start(end)
	if err != nil {
		return Directory{}, err
	}
	d := Directory{Metadata: f.values}
	for _, name := range slices.Sorted(maps.Keys(f.tensors)) {
		t := f.tensors[name]
		shape := slices.Clone(t.shape)
		slices.Reverse(shape)
		d.Entries = append(d.Entries, Entry{Name: name, Kind: uint32(t.kind), Type: t.kind.String(), Shape: shape, Offset: start + t.offset})
	}
	return d, nil
}
