package hostload

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
)

type process struct {
	parent int
	cpu    uint64 // µs
}

func processes(procfs string) map[int]process {
	all := map[int]process{}
	dir, err := os.Open(procfs)
	if err != nil {
		return all
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, err := readProcess(procfs, pid); err == nil {
			all[pid] = p
		}
	}
	return all
}

func descends(all map[int]process, pid, root int) bool {
	for range len(all) + 1 {
		if pid == root {
			return true
		}
		p, ok := all[pid]
		if !ok || p.parent == pid {
			return false
		}
		pid = p.parent
	}
	return false
}

// processBytes hold a process's stat up to its times.
const processBytes = 1024

// readProcess reads at once what the kernel hands over at once.
func readProcess(procfs string, pid int) (process, error) {
	f, err := os.Open(filepath.Join(procfs, strconv.Itoa(pid), "stat"))
	if err != nil {
		return process{}, err
	}
	defer f.Close()
	var line [processBytes]byte
	n, err := f.Read(line[:])
	if err != nil {
		return process{}, err
	}
	return parseProcess(line[:n])
}

// parseProcess reads /proc/<pid>/stat, whose second field is a name in
// brackets that may itself hold anything.
func parseProcess(line []byte) (process, error) {
	var parent int
	var user, system uint64
	var err1, err2, err3 error
	n := 0
	for field := range bytes.FieldsSeq(line[bytes.LastIndexByte(line, ')')+1:]) {
		switch n {
		case 1:
			parent, err1 = strconv.Atoi(string(field))
		case 11:
			user, err2 = strconv.ParseUint(string(field), 10, 48)
		case 12:
			system, err3 = strconv.ParseUint(string(field), 10, 48)
		}
		n++
	}
	if n < 13 {
		return process{}, errors.New("too few fields of a process")
	}
	if err := errors.Join(err1, err2, err3); err != nil {
		return process{}, err
	}
	return process{parent, (user + system) * tickUS}, nil
}

// ServerProcesses returns the process that listens on addr, host:port, and its
// descendants; with an empty addr this process and its own.
func ServerProcesses(procfs, addr string) (map[int]bool, error) {
	all := processes(procfs)
	root, err := server(procfs, addr, all)
	if err != nil {
		return nil, err
	}
	own := map[int]bool{root: true}
	for pid := range all {
		if descends(all, pid, root) {
			own[pid] = true
		}
	}
	return own, nil
}

// server returns the process that listens on addr; with an empty addr this one.
func server(procfs, addr string, all map[int]process) (int, error) {
	if addr == "" {
		return os.Getpid(), nil
	}
	return listener(procfs, addr, all)
}

// ProcessName is what procfs calls a process; empty where it is not seen.
func ProcessName(procfs string, pid int) string {
	return text(filepath.Join(procfs, strconv.Itoa(pid)), "comm")
}
