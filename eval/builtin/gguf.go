package builtin

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/bits"
	"slices"

	"github.com/disteval/disteval/eval"
)

// Bounds on what a file may claim, far above what a small model needs. They
// hold before anything is allocated for the claim.
const (
	maxDirectory = 64 << 20 // bytes
	maxKeys      = 4096
	maxTensors   = 1 << 14
	maxString    = 1 << 20
	maxVocab     = 1 << 18
	maxDims      = 4
	maxTrailing  = 1 << 20 // bytes after the last tensor
)

// ggufFile is the checked directory of a GGUF file, or of a Checkpoint: every
// size in it has been compared with the file's, so a tensor can be read
// without a surprise.
type ggufFile struct {
	values  map[string]any // uint64, int64, float64, bool, string, []string, []float32, []int32; nil for an array of another type
	tensors map[string]tensorInfo
	file    *io.SectionReader // the whole of it; nil for a Checkpoint
}

// tensorInfo says where a tensor lies.
type tensorInfo struct {
	shape  []int // fastest dimension first
	kind   tensorKind
	offset int64 // from the start of data
	count  int   // elements
	data   io.ReaderAt
	asF16  bool // rounded to F16 while it is read
}

// ggufReader reads little-endian values and knows how many bytes are left.
type ggufReader struct {
	r    *bufio.Reader
	size int64 // of the file, in bytes
	read int64 // bytes so far
	left int64 // bytes that may still be read
	err  error // the first error; later reads return zeros
	buf  [8]byte
}

// readGGUF reads the directory of a GGUF file of size bytes and checks that all
// its tensors can be read.
func readGGUF(r io.ReaderAt, size int64) (*ggufFile, error) {
	f, end, err := readDirectory(r, size)
	if err != nil {
		return nil, err
	}
	return f, f.place(r, end, size)
}

// readDirectory reads the directory of a GGUF file of size bytes, versions 2
// and 3, which ends at byte end. Its tensors' offsets are those into the data.
func readDirectory(r io.ReaderAt, size int64) (f *ggufFile, end int64, err error) {
	g := &ggufReader{r: bufio.NewReader(io.NewSectionReader(r, 0, size)), size: size, left: min(size, maxDirectory)}
	if magic := g.bytes(4); string(magic) != "GGUF" {
		return nil, 0, notGGUF(r, magic)
	}
	if v := g.u32(); g.err == nil && v != 2 && v != 3 {
		return nil, 0, fmt.Errorf("GGUF version %d: only little-endian files of version 2 and 3 can be read", v)
	}
	tensors := g.count(g.u64(), 24, maxTensors, "tensors")
	keys := g.count(g.u64(), 13, maxKeys, "metadata keys")
	f = &ggufFile{values: make(map[string]any), tensors: make(map[string]tensorInfo), file: io.NewSectionReader(r, 0, size)}
	for i := 0; i < keys && g.err == nil; i++ {
		f.readValue(g)
	}
	for i := 0; i < tensors && g.err == nil; i++ {
		f.readTensor(g)
	}
	return f, g.read, g.err
}

// lfsPointer begins the text that git keeps in place of a large file.
const lfsPointer = "version https://git-lfs"

func notGGUF(r io.ReaderAt, magic []byte) error {
	start := make([]byte, len(lfsPointer))
	if _, err := r.ReadAt(start, 0); err == nil && string(start) == lfsPointer {
		return eval.WithHint(errors.New("it is a Git LFS pointer, a few lines of text in the place of the file"),
			"run `git lfs pull` in its repository, or download the file itself")
	}
	return fmt.Errorf("not a GGUF file: it starts with %q", magic)
}

func (f *ggufFile) readValue(g *ggufReader) {
	key := g.str()
	if _, twice := f.values[key]; twice {
		g.fail("metadata key %q appears twice", key)
	}
	f.values[key] = g.value(key, g.u32())
}

func (f *ggufFile) readTensor(g *ggufReader) {
	name := g.str()
	if _, twice := f.tensors[name]; twice {
		g.fail("tensor %q appears twice", name)
	}
	dims := g.u32()
	if dims < 1 || dims > maxDims {
		g.fail("tensor %q has %d dimensions", name, dims)
		return
	}
	t := tensorInfo{count: 1}
	for range dims {
		n := g.u64()
		hi, lo := bits.Mul64(uint64(t.count), n)
		if n == 0 || hi != 0 || lo > uint64(g.size)*8 { // no kind has more than eight elements a byte
			g.fail("tensor %q claims more elements than the file has bytes", name)
			return
		}
		t.shape, t.count = append(t.shape, int(n)), int(lo)
	}
	t.kind = tensorKind(g.u32())
	offset := g.u64()
	if offset > 1<<60 {
		g.fail("tensor %q starts past the end of any file: its directory is corrupt", name)
		return
	}
	t.offset = int64(offset)
	f.tensors[name] = t
}

// place turns offsets into the data into offsets into the file and checks that
// every tensor of a readable kind lies inside it.
func (f *ggufFile) place(r io.ReaderAt, end, size int64) error {
	start, err := f.start(end)
	if err != nil {
		return err
	}
	last := start
	for _, name := range slices.Sorted(maps.Keys(f.tensors)) {
		t := f.tensors[name]
		bytes, err := t.kind.size(t.shape)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		t.offset, t.data = t.offset+start, r
		if t.offset%4 != 0 || t.offset+bytes > size {
			return fmt.Errorf("tensor %q needs bytes %d to %d of a file of %d: the file is truncated or corrupt", name, t.offset, t.offset+bytes, size)
		}
		f.tensors[name] = t
		last = max(last, t.offset+bytes)
	}
	if size-last > maxTrailing {
		return fmt.Errorf("the file goes on for %d bytes after its last tensor: it is not a model, or it is damaged", size-last)
	}
	return nil
}

// start is where the data begin after a directory that ends at byte end.
func (f *ggufFile) start(end int64) (int64, error) {
	align := int64(32)
	if v, ok := f.values["general.alignment"]; ok {
		n, ok := v.(uint64)
		if !ok || n == 0 || n > 1<<16 || n&(n-1) != 0 {
			return 0, fmt.Errorf("general.alignment %v is not a power of two up to 65536", v)
		}
		align = int64(n)
	}
	return (end + align - 1) / align * align, nil
}

// failAtEnd tells whether the file or the bound on its directory is at an end.
func (g *ggufReader) failAtEnd() {
	if g.left < g.size-g.read {
		g.fail("its directory is longer than %d MB: no small model needs that", maxDirectory>>20)
		return
	}
	g.fail("the file ends at byte %d, inside its directory: it is truncated or corrupt", g.size)
}

func (g *ggufReader) fail(format string, args ...any) {
	if g.err == nil {
		g.err = fmt.Errorf(format, args...)
	}
}

// bytes reads n bytes. The caller has bounded n.
func (g *ggufReader) bytes(n int64) []byte {
	if n > g.left {
		g.failAtEnd()
	}
	if g.err != nil {
		return nil
	}
	b := g.buf[:min(n, 8)]
	if n > 8 {
		b = make([]byte, n)
	}
	if _, err := io.ReadFull(g.r, b); err != nil {
		g.fail("read at byte %d: %w", g.read, err)
		return nil
	}
	g.read, g.left = g.read+n, g.left-n
	return b
}

func (g *ggufReader) u32() uint32 {
	if b := g.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (g *ggufReader) u64() uint64 {
	if b := g.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (g *ggufReader) str() string {
	return string(g.bytes(int64(g.count(g.u64(), 1, maxString, "bytes of one string"))))
}

// count checks a claimed number of items of at least size bytes each.
func (g *ggufReader) count(n uint64, size, most uint64, what string) int {
	switch {
	case n > most:
		g.fail("the file claims %d %s: at most %d are supported", n, what, most)
		return 0
	case n > uint64(g.left)/size:
		g.failAtEnd()
		return 0
	}
	return int(n)
}

// GGUF's codes of metadata types.
const (
	typeUint8 = iota
	typeInt8
	typeUint16
	typeInt16
	typeUint32
	typeInt32
	typeFloat32
	typeBool
	typeString
	typeArray
	typeUint64
	typeInt64
	typeFloat64
)

// width is the size in bytes of a value of fixed size, 0 for others.
func width(kind uint32) int64 {
	switch kind {
	case typeUint8, typeInt8, typeBool:
		return 1
	case typeUint16, typeInt16:
		return 2
	case typeUint32, typeInt32, typeFloat32:
		return 4
	case typeUint64, typeInt64, typeFloat64:
		return 8
	}
	return 0
}

func (g *ggufReader) value(key string, kind uint32) any {
	switch kind {
	case typeString:
		return g.str()
	case typeArray:
		return g.array(key)
	}
	n := width(kind)
	if n == 0 {
		g.fail("metadata key %q has the unknown type %d", key, kind)
		return nil
	}
	var raw [8]byte
	copy(raw[:], g.bytes(n))
	u := binary.LittleEndian.Uint64(raw[:])
	switch kind {
	case typeInt8:
		return int64(int8(u))
	case typeInt16:
		return int64(int16(u))
	case typeInt32:
		return int64(int32(u))
	case typeInt64:
		return int64(u)
	case typeFloat32:
		return float64(math.Float32frombits(uint32(u)))
	case typeFloat64:
		return math.Float64frombits(u)
	case typeBool:
		return u != 0
	}
	return u
}

// array reads a list of strings, float32 or int32 and passes over any other.
func (g *ggufReader) array(key string) any {
	kind, n := g.u32(), g.u64()
	if kind == typeString {
		return list(g, g.count(n, 8, maxVocab, "strings in "+key), g.str)
	}
	size := width(kind)
	if size == 0 {
		g.fail("metadata key %q is a list of the unknown type %d", key, kind)
		return nil
	}
	count := g.count(n, uint64(size), maxVocab*8, "values in "+key)
	switch kind {
	case typeFloat32:
		return list(g, count, func() float32 { return math.Float32frombits(g.u32()) })
	case typeInt32:
		return list(g, count, func() int32 { return int32(g.u32()) })
	}
	for range count {
		g.bytes(size)
	}
	return nil
}

func list[T any](g *ggufReader, n int, read func() T) []T {
	out := make([]T, 0, n)
	for len(out) < n && g.err == nil {
		out = append(out, read())
	}
	return out
}
