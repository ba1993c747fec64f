package hub

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"strings"

	"github.com/nlpodyssey/gopickle/pickle"
	"github.com/nlpodyssey/gopickle/types"
)

// dtype is how a storage's numbers are laid out.
type dtype struct {
	name  string // as safetensors calls it
	bytes int64
}

var dtypes = map[string]dtype{
	"torch.FloatStorage":    {"F32", 4},
	"torch.HalfStorage":     {"F16", 2},
	"torch.BFloat16Storage": {"BF16", 2},
}

// storage is a run of numbers in the checkpoint, which tensors may share.
type storage struct {
	dtype dtype
	file  *zip.File
	count int64 // numbers
}

// tensor is a view of a storage.
type tensor struct {
	storage *storage
	offset  int64 // in numbers
	shape   []int64
	stride  []int64
}

// namedTensor is a tensor of the state dictionary.
type namedTensor struct {
	name string
	tensor
}

// readCheckpoint lists the tensors of a checkpoint as torch.save writes it
// since PyTorch 1.6: a ZIP archive of a pickle and its storages. The pickle is
// data to this reader: it may name an ordered dictionary, tensors and storages
// of weights; any other class is refused by its name.
func readCheckpoint(archive *zip.Reader) ([]namedTensor, error) {
	c := &checkpoint{files: make(map[string]*zip.File)}
	var data *zip.File
	for _, f := range archive.File {
		c.files[f.Name] = f
		if path.Base(f.Name) == "data.pkl" && data == nil {
			data, c.root = f, path.Dir(f.Name)
		}
	}
	if data == nil {
		return nil, errors.New("there is no data.pkl in it")
	}
	if err := c.littleEndian(); err != nil {
		return nil, err
	}
	raw, err := readAll(data, maxPickle)
	if err != nil {
		return nil, err
	}
	if err := checkPickle(raw); err != nil {
		return nil, err
	}
	state, err := c.unpickle(raw)
	if err != nil {
		return nil, err
	}
	return tensorsOf(state)
}

type checkpoint struct {
	root  string
	files map[string]*zip.File
}

// littleEndian refuses what a big-endian machine wrote.
func (c *checkpoint) littleEndian() error {
	f, ok := c.files[c.root+"/byteorder"]
	if !ok {
		return nil // older writers are little-endian all
	}
	order, err := readAll(f, 16)
	if err == nil && string(order) != "little" {
		err = fmt.Errorf("its byte order is %q, not little", order)
	}
	return err
}

func readAll(f *zip.File, most int64) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", f.Name, err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Name, err)
	}
	if int64(len(b)) > most {
		return nil, fmt.Errorf("%s is longer than %d bytes", f.Name, most)
	}
	return b, nil
}

func (c *checkpoint) unpickle(raw []byte) (state any, err error) {
	defer func() {
		// The unpickler indexes and asserts without checks here and there.
		if r := recover(); r != nil {
			state, err = nil, fmt.Errorf("its pickle is damaged: %v", r)
		}
	}()
	u := pickle.NewUnpickler(bytes.NewReader(raw))
	u.FindClass = findClass
	u.PersistentLoad = c.storage
	if state, err = u.Load(); err != nil {
		err = fmt.Errorf("its pickle cannot be read: %.300s", err.Error())
	}
	return state, err
}

type storageClass string

// callable is a function of the few that a pickle may call.
type callable func(args ...any) (any, error)

func (f callable) Call(args ...any) (any, error) { return f(args...) }

func findClass(module, name string) (any, error) {
	full := module + "." + name
	switch full {
	case "collections.OrderedDict":
		return &types.OrderedDictClass{}, nil
	case "torch._utils._rebuild_tensor_v2":
		return callable(rebuildTensor), nil
	case "torch._utils._rebuild_parameter":
		return callable(rebuildParameter), nil
	}
	if _, ok := dtypes[full]; ok {
		return storageClass(full), nil
	}
	if strings.HasPrefix(full, "torch.") && strings.HasSuffix(full, "Storage") {
		return nil, fmt.Errorf("it holds a %s: only float32, float16 and bfloat16 weights can be converted", full)
	}
	return nil, fmt.Errorf("it holds an object of class %s, which no file of weights needs", full)
}

// storage finds what a persistent id ("storage", class, key, device, count)
// stands for.
func (c *checkpoint) storage(id any) (any, error) {
	t, ok := id.(*types.Tuple)
	if !ok || t.Len() < 5 || t.Get(0) != "storage" {
		return nil, errors.New("a persistent id in it is not a storage")
	}
	class, isClass := t.Get(1).(storageClass)
	key, isKey := t.Get(2).(string)
	count, isCount := t.Get(4).(int)
	f := c.files[c.root+"/data/"+key]
	switch {
	case !isClass || !isKey || !isCount || count < 0:
		return nil, errors.New("a storage in it is not as torch.save describes one")
	case f == nil:
		return nil, fmt.Errorf("storage %q is missing in it", key)
	case f.Method != zip.Store:
		return nil, fmt.Errorf("storage %q in it is compressed, which torch.save never does", key)
	}
	d := dtypes[string(class)]
	if uint64(count) > f.UncompressedSize64/uint64(d.bytes) || f.UncompressedSize64 > math.MaxInt64 {
		return nil, fmt.Errorf("storage %q in it has %d bytes, too few for %d numbers of %s", key, f.UncompressedSize64, count, d.name)
	}
	return &storage{dtype: d, file: f, count: int64(count)}, nil
}

// rebuildTensor is torch._utils._rebuild_tensor_v2(storage, offset, size,
// stride, requires_grad, hooks).
func rebuildTensor(args ...any) (any, error) {
	bad := errors.New("a tensor in it is not as torch.save describes one")
	if len(args) < 4 {
		return nil, bad
	}
	s, isStorage := args[0].(*storage)
	offset, isOffset := args[1].(int)
	shape, isShape := integers(args[2])
	stride, isStride := integers(args[3])
	if !isStorage || !isOffset || !isShape || !isStride || offset < 0 || len(shape) != len(stride) || len(shape) > 8 {
		return nil, bad
	}
	t := &tensor{storage: s, offset: int64(offset), shape: shape, stride: stride}
	if !t.fits() {
		return nil, errors.New("a tensor in it reaches past its storage")
	}
	return t, nil
}

// rebuildParameter is torch._utils._rebuild_parameter(tensor, requires_grad, hooks).
func rebuildParameter(args ...any) (any, error) {
	if len(args) > 0 {
		if t, ok := args[0].(*tensor); ok {
			return t, nil
		}
	}
	return nil, errors.New("a parameter in it is not a tensor")
}

func integers(v any) ([]int64, bool) {
	t, ok := v.(*types.Tuple)
	if !ok {
		return nil, false
	}
	out := make([]int64, t.Len())
	for i := range out {
		n, ok := t.Get(i).(int)
		if !ok || n < 0 {
			return nil, false
		}
		out[i] = int64(n)
	}
	return out, true
}

// fits reports whether every element lies within the storage. It also bounds
// the number of elements, so that a stride of 0 cannot claim any size.
func (t *tensor) fits() bool {
	const most = 1 << 40
	last, count := t.offset, int64(1)
	for i, n := range t.shape {
		if n == 0 {
			return t.offset <= t.storage.count
		}
		if n > most || t.stride[i] > most || count > most/n || (n-1) > 0 && t.stride[i] > most/(n-1) {
			return false
		}
		count *= n
		last += (n - 1) * t.stride[i]
	}
	return last < t.storage.count && count <= t.storage.count
}

// count is the number of elements.
func (t *tensor) count() int64 {
	n := int64(1)
	for _, d := range t.shape {
		n *= d
	}
	return n
}

// contiguous reports whether the elements lie one after the other.
func (t *tensor) contiguous() bool {
	step := int64(1)
	for i := len(t.shape) - 1; i >= 0; i-- {
		if t.shape[i] != 1 && t.stride[i] != step {
			return false
		}
		step *= t.shape[i]
	}
	return true
}

// tensorsOf lists the tensors of a state dictionary but for rotary frequencies.
func tensorsOf(state any) ([]namedTensor, error) {
	var all []namedTensor
	add := func(key, value any) error {
		name, isName := key.(string)
		t, isTensor := value.(*tensor)
		switch {
		case !isName:
			// Of its kind alone: a value that holds itself would be printed for ever.
			return fmt.Errorf("a key of its dictionary is not a text but a %T", key)
		case !isTensor:
			return fmt.Errorf("its entry %q is not a tensor: this is not a file of weights alone", name)
		case !isRotary(name):
			all = append(all, namedTensor{name, *t})
		}
		return nil
	}
	switch d := state.(type) {
	case *types.OrderedDict:
		for e := d.List.Front(); e != nil; e = e.Next() {
			entry := e.Value.(*types.OrderedDictEntry) // the list holds nothing else
			if err := add(entry.Key, entry.Value); err != nil {
				return nil, err
			}
		}
	case *types.Dict:
		for _, entry := range *d {
			if err := add(entry.Key, entry.Value); err != nil {
				return nil, err
			}
		}
	default:
		return nil, errors.New("it holds no dictionary of tensors")
	}
	if len(all) == 0 {
		return nil, errors.New("it holds no tensors")
	}
	return all, nil
}
