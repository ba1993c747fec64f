package hostload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/disteval/disteval/emissions"
)

// rescan is how often the server's processes are looked for anew: model
// servers start a runner for each model.
const rescan = 5 * time.Second

// WithServerShare returns m with the model server's share of the busy
// processor time on every reading: of the process that listens on addr
// (host:port) and its descendants, or, with an empty addr, of this process
// and its own. Where the server cannot be found the share is left out and a
// warning says why.
func WithServerShare(m emissions.Meter, procfs, addr string) emissions.Meter {
	return &serverShare{Meter: m, procfs: procfs, addr: addr, used: map[int]uint64{}}
}

type serverShare struct {
	emissions.Meter
	procfs, addr string
	sampler      *emissions.Sampler

	mu      sync.Mutex
	root    int
	scanned time.Time
	used    map[int]uint64 // CPU time by process at its last sample, µs
	sum     uint64
	total   uint64           // busy time of the machine at the last sample, µs
	read    time.Time        // of the last sample
	own     emissions.Series // µs of the server
	busy    emissions.Series // µs of the machine
	why     error
}

func (s *serverShare) Start(ctx context.Context) error {
	s.sampler = emissions.StartSampler(context.WithoutCancel(ctx), func() time.Duration {
		s.sample()
		return period
	})
	if err := s.Meter.Start(ctx); err != nil {
		return errors.Join(err, s.sampler.Close())
	}
	return nil
}

func (s *serverShare) Close() error { return errors.Join(s.sampler.Close(), s.Meter.Close()) }

func (s *serverShare) Read(from, to time.Time) emissions.Reading {
	r := s.Meter.Read(from, to)
	if s.own.Newest().Before(to) {
		s.sample()
	}
	s.mu.Lock()
	why := s.why
	s.mu.Unlock()
	if why != nil {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the model server's share of the processor time is not known: %v", why))
		return r
	}
	own, busy := s.own.Between(from, to), s.busy.Between(from, to)
	if busy.Amount > 0 && own.Lost == 0 && busy.Lost == 0 {
		share := min(1, float64(own.Amount)/float64(busy.Amount))
		r.ServerShare = &share
	}
	return r
}

func (s *serverShare) sample() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if now.Sub(s.scanned) >= rescan {
		s.scanned = now
		s.why = s.scan()
	}
	if now.Sub(s.read) < tick && s.why == nil {
		s.own.Add(now, s.sum)
		s.busy.Add(now, s.total)
		return
	}
	total, err := readStat(filepath.Join(s.procfs, "stat"))
	if s.why = cmp.Or(s.why, err); s.why != nil {
		return
	}
	for pid, before := range s.used {
		p, err := readProcess(s.procfs, pid)
		if err != nil {
			delete(s.used, pid) // it ended
			continue
		}
		s.sum += p.cpu - min(before, p.cpu)
		s.used[pid] = p.cpu
	}
	s.own.Add(now, s.sum)
	s.busy.Add(now, total.busy)
	s.read, s.total = now, total.busy
}

// scan finds the server and its descendants. A process that is new since the
// last scan counts from its beginning, except at the first scan.
func (s *serverShare) scan() error {
	first := len(s.used) == 0
	all := processes(s.procfs)
	if _, alive := all[s.root]; !alive || s.root == 0 {
		root, err := s.server()
		if err != nil {
			return err
		}
		s.root, first = root, true
	}
	for pid, p := range all {
		if _, known := s.used[pid]; known || !descends(all, pid, s.root) {
			continue
		}
		s.used[pid] = 0
		if first {
			s.used[pid] = p.cpu
		}
	}
	return nil
}

func (s *serverShare) server() (int, error) {
	if s.addr == "" {
		return os.Getpid(), nil
	}
	return Listener(s.procfs, s.addr)
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

type process struct {
	parent int
	cpu    uint64 // µs
}

func processes(procfs string) map[int]process {
	all := map[int]process{}
	entries, _ := os.ReadDir(procfs)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if p, err := readProcess(procfs, pid); err == nil {
			all[pid] = p
		}
	}
	return all
}

func readProcess(procfs string, pid int) (process, error) {
	data, err := os.ReadFile(filepath.Join(procfs, strconv.Itoa(pid), "stat"))
	if err != nil {
		return process{}, err
	}
	return parseProcess(string(data))
}

// parseProcess reads /proc/<pid>/stat, whose second field is a name in
// brackets that may itself hold anything.
func parseProcess(text string) (process, error) {
	fields := strings.Fields(text[strings.LastIndex(text, ")")+1:])
	if len(fields) < 13 {
		return process{}, errors.New("too few fields of a process")
	}
	parent, err1 := strconv.Atoi(fields[1])
	user, err2 := strconv.ParseUint(fields[11], 10, 48)
	system, err3 := strconv.ParseUint(fields[12], 10, 48)
	if err := errors.Join(err1, err2, err3); err != nil {
		return process{}, err
	}
	return process{parent, (user + system) * tickUS}, nil
}

// Listener returns the process that listens on addr, host:port, on this machine.
func Listener(procfs, addr string) (int, error) {
	_, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return 0, fmt.Errorf("find the server: %w", err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("find the server: port %q is not a number to 65535", portText)
	}
	sockets := map[string]bool{}
	for _, file := range []string{"net/tcp", "net/tcp6"} {
		if data, err := os.ReadFile(filepath.Join(procfs, file)); err == nil {
			for _, inode := range parseListeners(string(data), uint16(port)) {
				sockets["socket:["+inode+"]"] = true
			}
		}
	}
	if len(sockets) == 0 {
		return 0, fmt.Errorf("nothing listens on port %d on this machine, or it is in another container", port)
	}
	fds, _ := filepath.Glob(filepath.Join(procfs, "[0-9]*/fd/*"))
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err == nil && sockets[target] {
			return strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(fd))))
		}
	}
	return 0, fmt.Errorf("the process that listens on port %d cannot be seen: run as its user or as root", port)
}

// listening is the state LISTEN in /proc/net/tcp.
const listening = "0A"

// parseListeners returns the inodes of the sockets that listen on port.
func parseListeners(text string, port uint16) []string {
	var inodes []string
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 10 || f[3] != listening {
			continue
		}
		_, hex, _ := strings.Cut(f[1], ":")
		if n, err := strconv.ParseUint(hex, 16, 16); err == nil && uint16(n) == port {
			inodes = append(inodes, f[9])
		}
	}
	return inodes
}

// resolving is how long a name server may take.
const resolving = 2 * time.Second

// IsLocal tells whether host, a name or an address, is this machine. A name
// that cannot be resolved is not.
func IsLocal(host string) bool {
	if host == "" || host == "localhost" {
		return true
	}
	if name, err := os.Hostname(); err == nil && strings.EqualFold(name, host) {
		return true
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return isOwn(ip)
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolving)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	return err == nil && !slices.ContainsFunc(ips, func(ip netip.Addr) bool { return !isOwn(ip.Unmap()) })
}

// isOwn tells whether ip is an address of this machine.
func isOwn(ip netip.Addr) bool {
	if ip.IsLoopback() || ip.IsUnspecified() {
		return true
	}
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr() == ip {
			return true
		}
	}
	return false
}

// ServerProcesses returns the process that listens on addr, host:port, and its
// descendants; with an empty addr this process and its own.
func ServerProcesses(procfs, addr string) (map[int]bool, error) {
	s := serverShare{procfs: procfs, addr: addr}
	root, err := s.server()
	if err != nil {
		return nil, err
	}
	all := processes(procfs)
	own := map[int]bool{root: true}
	for pid := range all {
		if descends(all, pid, root) {
			own[pid] = true
		}
	}
	return own, nil
}

// ProcessName is what procfs calls a process; empty where it is not seen.
func ProcessName(procfs string, pid int) string {
	return text(filepath.Join(procfs, strconv.Itoa(pid)), "comm")
}
