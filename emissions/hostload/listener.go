package hostload

import (
	"bufio"
	"cmp"
	"fmt"
	"iter"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Listener returns the process that listens on addr, host:port, on this
// machine: where a process and its parent share the socket, the parent.
func Listener(procfs, addr string) (int, error) { return listener(procfs, addr, processes(procfs)) }

func listener(procfs, addr string, all map[int]process) (int, error) {
	_, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return 0, fmt.Errorf("find the server: %w", err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("find the server: port %q is not a number to 65535", portText)
	}
	seen := false
	for inode := range listeners(procfs, uint16(port)) {
		seen = true
		if pid, ok := owner(procfs, all, "socket:["+inode+"]"); ok {
			return pid, nil
		}
	}
	if !seen {
		return 0, fmt.Errorf("nothing listens on port %d on this machine, or it is in another container", port)
	}
	return 0, fmt.Errorf("the process that listens on port %d cannot be seen: run as its user or as root", port)
}

// owner returns the process that has a socket open. It begins with the
// youngest: a server is younger than what came up with the machine.
func owner(procfs string, all map[int]process, socket string) (pid int, ok bool) {
	youngest := slices.SortedFunc(maps.Keys(all), func(a, b int) int { return cmp.Compare(b, a) })
	i := slices.IndexFunc(youngest, func(pid int) bool { return holds(procfs, pid, socket) })
	if i < 0 {
		return 0, false
	}
	pid = youngest[i]
	for range all { // parents, should they lead in a circle, end
		parent := all[pid].parent
		if parent <= 0 || !holds(procfs, parent, socket) {
			break
		}
		pid = parent
	}
	return pid, true
}

// holds tells whether a process has a socket open, as far as it may be seen.
func holds(procfs string, pid int, socket string) bool {
	dir := filepath.Join(procfs, strconv.Itoa(pid), "fd")
	f, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1) // of a process that ends meanwhile, what there is
	return slices.ContainsFunc(names, func(name string) bool {
		target, err := os.Readlink(dir + "/" + name)
		return err == nil && target == socket
	})
}

// recordBytes is the usual length of a line of /proc/net/tcp.
const recordBytes = 150

// listeners yields the inodes of the sockets that listen on port. The kernel
// lists those that listen first, and walks its table of all connections, which
// takes it milliseconds, only for who reads on: so lines are read one at a time.
func listeners(procfs string, port uint16) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, file := range []string{"net/tcp", "net/tcp6"} {
			f, err := os.Open(filepath.Join(procfs, file))
			if err != nil {
				continue
			}
			defer f.Close()
			lines := bufio.NewScanner(f)
			lines.Buffer(make([]byte, recordBytes), bufio.MaxScanTokenSize)
			for lines.Scan() {
				if inode := parseListener(lines.Text(), port); inode != "" && !yield(inode) {
					return
				}
			}
		}
	}
}

// listening is the state LISTEN in /proc/net/tcp.
const listening = "0A"

// parseListener returns the inode of a socket that listens on port, empty for
// a line of any other.
func parseListener(line string, port uint16) string {
	f := strings.Fields(line)
	if len(f) < 10 || f[3] != listening {
		return ""
	}
	_, hex, _ := strings.Cut(f[1], ":")
	if n, err := strconv.ParseUint(hex, 16, 16); err != nil || uint16(n) != port {
		return ""
	}
	return f[9]
}
