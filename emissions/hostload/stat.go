package hostload

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
)

// load is the first part of /proc/stat.
type load struct {
	busy    uint64 // µs of all processors since boot, neither idle nor waiting
	threads int
}

// tickUS is the unit of /proc/stat, USER_HZ, which is 100 on every Linux.
const tickUS = 10_000

func readStat(path string) (load, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return load{}, err
	}
	l, err := parseStat(data)
	if err != nil {
		return load{}, fmt.Errorf("read %s: %w", path, err)
	}
	return l, nil
}

// statFile is a procfs's stat, kept open: the kernel makes it anew whenever it
// is read from its beginning, which takes half of the time of opening it.
type statFile struct {
	path string
	file *os.File
}

// headBytes hold the first line of stat.
const headBytes = 512

// busy is the busy time of all processors, µs.
func (s *statFile) busy() (uint64, error) {
	if s.file == nil {
		f, err := os.Open(s.path)
		if err != nil {
			return 0, err
		}
		s.file = f
	}
	var head [headBytes]byte
	n, err := s.file.ReadAt(head[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	busy, err := parseBusy(head[:n])
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", s.path, err)
	}
	return busy, nil
}

// close lets go of the file. It never fails: nothing was written.
func (s *statFile) close() {
	if s.file != nil {
		_ = s.file.Close()
	}
}

func parseStat(text []byte) (load, error) {
	busy, err := parseBusy(text)
	if err != nil {
		return load{}, err
	}
	l := load{busy: busy}
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte("cpu")) && !bytes.HasPrefix(line, []byte("cpu ")) {
			l.threads++
		}
	}
	if l.threads == 0 {
		return load{}, errNoProcessors
	}
	return l, nil
}

var errNoProcessors = errors.New("there are no processor lines")

// parseBusy adds user, nice, system, irq, softirq and steal of the line of all
// processors, which is the first; guest time is within user time.
func parseBusy(text []byte) (busy uint64, err error) {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	counts, ok := bytes.CutPrefix(line, []byte("cpu "))
	if !ok {
		return 0, errNoProcessors
	}
	n := 0
	for field := range bytes.FieldsSeq(counts) {
		if n++; n > 8 || n == 4 || n == 5 { // guest; idle, waiting
			continue
		}
		ticks, err := strconv.ParseUint(string(field), 10, 48)
		if err != nil {
			return 0, fmt.Errorf("%q is not a count of ticks", field)
		}
		busy += ticks * tickUS
	}
	if n < 4 {
		return 0, errNoProcessors
	}
	return busy, nil
}
