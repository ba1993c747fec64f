//go:build linux && (amd64 || arm64) && !static

package nvml

import (
	"bytes"
	"errors"
	"fmt"
	"unsafe"

	"github.com/ebitengine/purego"
)

// libraryName is how the driver installs NVML.
const libraryName = "libnvidia-ml.so.1"

// Return codes of NVML that are told apart; see nvmlReturn_t in nvml.h.
const (
	success          = 0
	notSupported     = 3
	noPermission     = 4
	insufficientSize = 7
	gpuIsLost        = 15
)

// handle is an nvmlDevice_t.
type handle uintptr

// library is NVML as it was opened. The functions below optional may be nil:
// older drivers have not all of them.
type library struct {
	closer uintptr

	initialise  func() int32
	shutdown    func() int32
	errorString func(code int32) string
	count       func(n *uint32) int32
	handleAt    func(index uint32, h *handle) int32
	name        func(h handle, text *byte, size uint32) int32
	uuid        func(h handle, text *byte, size uint32) int32
	power       func(h handle, mW *uint32) int32

	energy   func(h handle, mJ *uint64) int32                // optional
	migMode  func(h handle, current, pending *uint32) int32  // optional
	compute  func(h handle, n *uint32, infos *process) int32 // optional
	graphics func(h handle, n *uint32, infos *process) int32 // optional
}

// process is an nvmlProcessInfo_t of the functions' versions 2 and 3.
type process struct {
	pid uint32
	_   uint32
	_   uint64 // used memory in bytes
	_   uint32 // GPU instance
	_   uint32 // compute instance
}

// openLibrary loads and starts NVML; path is libraryName but in tests.
func openLibrary(path string) (*library, error) {
	lib, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("NVIDIA's driver library %s cannot be opened (%v): install NVIDIA's driver; "+
			"a container must be given the cards, as docker run --gpus all does", libraryName, err)
	}
	l := &library{closer: lib}
	if err := l.bind(lib); err != nil {
		return nil, errors.Join(err, purego.Dlclose(lib))
	}
	if code := l.initialise(); code != success {
		err := fmt.Errorf("NVML does not start: %s; is NVIDIA's driver loaded? nvidia-smi says more", l.errorString(code))
		return nil, errors.Join(err, purego.Dlclose(lib))
	}
	return l, nil
}

func (l *library) bind(lib uintptr) error {
	for name, to := range map[string]any{
		"nvmlInit_v2": &l.initialise, "nvmlShutdown": &l.shutdown, "nvmlErrorString": &l.errorString,
		"nvmlDeviceGetCount_v2": &l.count, "nvmlDeviceGetHandleByIndex_v2": &l.handleAt,
		"nvmlDeviceGetName": &l.name, "nvmlDeviceGetUUID": &l.uuid, "nvmlDeviceGetPowerUsage": &l.power,
	} {
		symbol, err := purego.Dlsym(lib, name)
		if err != nil {
			return fmt.Errorf("%s is not a usable NVML: %w", libraryName, err)
		}
		purego.RegisterFunc(to, symbol)
	}
	for to, names := range map[any][]string{
		&l.energy:   {"nvmlDeviceGetTotalEnergyConsumption"},
		&l.migMode:  {"nvmlDeviceGetMigMode"},
		&l.compute:  {"nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2"},
		&l.graphics: {"nvmlDeviceGetGraphicsRunningProcesses_v3", "nvmlDeviceGetGraphicsRunningProcesses_v2"},
	} {
		for _, name := range names {
			if symbol, err := purego.Dlsym(lib, name); err == nil {
				purego.RegisterFunc(to, symbol)
				break
			}
		}
	}
	return nil
}

func (l *library) close() {
	l.shutdown()
	_ = purego.Dlclose(l.closer) // what stays open costs nothing
}

// fault is an error of NVML's.
type fault struct {
	what string
	code int32
	text string
}

func (f fault) Error() string { return f.what + ": " + f.text }

func (l *library) check(code int32, what string) error {
	if code == success {
		return nil
	}
	return fault{what, code, l.errorString(code)}
}

// cards returns the machine's cards in NVML's order. A card that cannot be
// opened is an error in its place.
func (l *library) cards() ([]card, []error, error) {
	var n uint32
	if err := l.check(l.count(&n), "count NVIDIA's cards"); err != nil {
		return nil, nil, err
	}
	var cards []card
	var errs []error
	for i := range n {
		c, err := l.card(i)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		cards = append(cards, c)
	}
	return cards, errs, nil
}

func (l *library) card(index uint32) (card, error) {
	zone := fmt.Sprintf("gpu-%d", index)
	var h handle
	if err := l.check(l.handleAt(index, &h), "open "+zone); err != nil {
		return card{}, err
	}
	if h == 0 {
		return card{}, fmt.Errorf("open %s: NVML returned no handle", zone)
	}
	c := card{Device: Device{UUID: l.text(l.uuid, h)}}
	c.Name = zone
	if name := l.text(l.name, h); name != "" {
		c.Name += " " + name
	}
	if l.migMode != nil {
		var current, pending uint32
		c.MIG = l.migMode(h, &current, &pending) == success && current == 1
	}
	lost := false // a card off the bus is not asked again
	guard := func(err error) error {
		var f fault
		lost = lost || errors.As(err, &f) && f.code == gpuIsLost
		return err
	}
	gone := fmt.Errorf("%s has fallen off the bus", zone)
	c.milliwatts = func() (uint32, error) {
		if lost {
			return 0, gone
		}
		var mW uint32
		return mW, guard(l.check(l.power(h, &mW), "read the power of "+zone))
	}
	c.millijoules = func() (uint64, error) {
		if lost {
			return 0, gone
		}
		if l.energy == nil {
			return 0, fault{"read the energy of " + zone, notSupported, "the driver is too old"}
		}
		var mJ uint64
		return mJ, guard(l.check(l.energy(h, &mJ), "read the energy of "+zone))
	}
	c.users = func() ([]int, error) {
		if lost {
			return nil, gone
		}
		return l.users(h, zone)
	}
	return c, nil
}

func (l *library) text(get func(handle, *byte, uint32) int32, h handle) string {
	var buf [96]byte // NVML_DEVICE_NAME_V2_BUFFER_SIZE and _UUID_V2_
	if get(h, &buf[0], uint32(len(buf))) != success {
		return ""
	}
	text, _, _ := bytes.Cut(buf[:], []byte{0})
	return string(text)
}

// maxUsers bounds the processes that are asked for.
const maxUsers = 4096

// users returns the processes that compute or draw on a card.
func (l *library) users(h handle, zone string) ([]int, error) {
	var pids []int
	for _, list := range []func(handle, *uint32, *process) int32{l.compute, l.graphics} {
		if list == nil {
			continue
		}
		infos := make([]process, 64)
		n := uint32(len(infos))
		code := list(h, &n, unsafe.SliceData(infos))
		if code == insufficientSize {
			infos = make([]process, min(2*int(n)+16, maxUsers))
			n = uint32(len(infos))
			code = list(h, &n, unsafe.SliceData(infos))
		}
		if code == notSupported || code == noPermission {
			continue
		}
		if err := l.check(code, "list the processes on "+zone); err != nil {
			return nil, err
		}
		for _, p := range infos[:min(int(n), len(infos))] {
			pids = append(pids, int(p.pid))
		}
	}
	return pids, nil
}

// unsupported tells whether an error says that a card has no such counter.
func unsupported(err error) bool {
	var f fault
	return errors.As(err, &f) && (f.code == notSupported || f.code == noPermission)
}
