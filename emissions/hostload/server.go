package hostload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
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
//
// Start does not wait until the server is found, which takes a while on a
// machine of many processes: a reading does. Nor has an interval a share that
// is shorter than the tick in which the kernel counts.
func WithServerShare(m emissions.Meter, procfs, addr string) emissions.Meter {
	looked := make(chan struct{})
	return &serverShare{Meter: m, procfs: procfs, addr: addr, stat: statFile{path: filepath.Join(procfs, "stat")},
		looked: looked, hasLooked: sync.OnceFunc(func() { close(looked) }), used: map[int]uint64{}}
}

type serverShare struct {
	emissions.Meter
	procfs, addr string
	sampler      *emissions.Sampler
	looked       chan struct{} // closed when the server has been looked for once
	hasLooked    func()        // closes it

	mu      sync.Mutex
	stat    statFile
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
	s.sampler = emissions.StartSamplerAside(context.WithoutCancel(ctx), func() time.Duration {
		defer s.hasLooked()
		s.sample()
		return period
	})
	if err := s.Meter.Start(ctx); err != nil {
		return errors.Join(err, s.sampler.Close())
	}
	return nil
}

func (s *serverShare) Close() error {
	err := errors.Join(s.sampler.Close(), s.Meter.Close())
	s.hasLooked() // or never will
	s.stat.close()
	return err
}

func (s *serverShare) Read(from, to time.Time) emissions.Reading {
	r := s.Meter.Read(from, to)
	if to.Sub(from) < tick {
		return r
	}
	<-s.looked
	share, err := s.share(from, to)
	if err != nil {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the model server's share of the processor time is not known: %v", err))
	}
	r.ServerShare = share
	return r
}

// share is nil where nothing was busy, or the error says why it is not known.
func (s *serverShare) share(from, to time.Time) (*float64, error) {
	if s.own.Newest().Before(to) {
		s.sample()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why != nil {
		return nil, s.why
	}
	own, busy := s.own.Between(from, to), s.busy.Between(from, to)
	switch {
	case own.Lost >= tick: // the kernel's count cannot tell less
		return nil, fmt.Errorf("its processes were not read for %v of the interval", own.Lost.Round(time.Millisecond))
	case busy.Amount == 0:
		return nil, nil
	}
	share := min(1, float64(own.Amount)/float64(busy.Amount))
	return &share, nil
}

func (s *serverShare) sample() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.Sub(s.scanned) >= rescan {
		s.scanned = now
		s.why = s.scan()
	}
	now := time.Now()
	if s.why == nil && now.Sub(s.read) < tick {
		s.note(now, s.total)
		return
	}
	total, err := s.stat.busy()
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
	s.note(now, total)
	s.read = now
}

// note adds what was read at a time to the histories.
func (s *serverShare) note(now time.Time, total uint64) {
	s.own.Add(now, s.sum)
	s.busy.Add(now, total)
	s.total = total
}

// scan finds the server and its descendants. A process that is new since the
// last scan counts from its beginning, except at the first scan, from which on
// the share is known: from before the server is looked for among the processes.
func (s *serverShare) scan() error {
	first := len(s.used) == 0
	now := time.Now()
	total, err := s.stat.busy()
	if err != nil {
		return err
	}
	all := processes(s.procfs)
	if _, alive := all[s.root]; !alive || s.root == 0 {
		root, err := server(s.procfs, s.addr, all)
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
	if first {
		s.note(now, total)
		s.read = now
	}
	return nil
}
