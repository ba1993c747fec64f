// Package machine knows which sources of energy this machine has and makes
// one Meter of them.
//
// Policy: there is one list of sources; probing, metering and choosing all go
// through it. A source that cannot be had makes readings unavailable, with
// the reason, and never ends a run; only a method that does not exist is an
// error. Energy of another machine is not guessed from this one.
package machine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/emissions/hostload"
)

// Options say how a machine's energy is obtained.
type Options struct {
	Method       string        // one of Methods; empty is auto
	Sysfs        string        // empty is /sys
	Procfs       string        // empty is /proc
	Exporters    []string      // addresses of exporters to read energy from; only with auto
	CPUTDPW      float64       // thermal design power of one processor in W, 0 where not known
	IdleBaseline time.Duration // how long the idle machine is measured first; 0 is off
	server       string        // host:port of the model server; empty for this process
	LockDir      string        // where metered runs find each other; empty is where all users of the machine do

	host func() (hostload.Host, error) // looks at the host once
}

func (o Options) withDefaults() Options {
	o.Sysfs, o.Procfs, o.Method = cmp.Or(o.Sysfs, "/sys"), cmp.Or(o.Procfs, "/proc"), cmp.Or(o.Method, auto)
	load := o.load()
	o.host = sync.OnceValues(func() (hostload.Host, error) { return hostload.Inspect(load) })
	return o
}

// Methods that are not one source's.
const (
	auto = "auto"
	off  = "off"
)

// Methods lists what Options.Method may be.
func Methods() []string {
	names := []string{auto}
	for _, s := range sources {
		names = append(names, s.method)
	}
	return append(names, off)
}

// meterOf returns the meter of the machine that the model server at addr,
// host:port, runs on; an empty addr is this process. o.Exporters are that
// machine's.
func meterOf(ctx context.Context, o Options, addr string, p *emissions.Presence) (emissions.Meter, error) {
	local := isLocal(addr)
	o.server = addr
	m, err := open(ctx, o, local)
	if err != nil || o.Method == off {
		return m, err
	}
	if !local && len(o.Exporters) == 0 {
		return emissions.NewUnavailable(o.Method, fmt.Sprintf(
			"the model server %s is another machine, whose energy cannot be read from here: name the exporters that it runs with emissions.exporters, or run disteval on it", addr)), nil
	}
	m = emissions.WithBaseline(m, o.IdleBaseline)
	if !local {
		return m, nil
	}
	m = hostload.WithServerShare(m, o.Procfs, addr)
	return emissions.WithPresence(m, p), nil
}

func isLocal(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err != nil || hostload.IsLocal(host)
}

// open returns the bare meter of a method.
func open(ctx context.Context, o Options, local bool) (emissions.Meter, error) {
	if len(o.Exporters) > 0 && o.Method != off {
		if o.Method != auto {
			return nil, fmt.Errorf("emissions.method %s beside emissions.exporters: energy would be read twice; use auto", o.Method)
		}
		return openExporters(ctx, o, o.Exporters, local)
	}
	switch o.Method {
	case auto:
		var meters []emissions.Meter
		for _, f := range chosen(examine(o)) {
			meters = append(meters, f.source.open(o))
		}
		return emissions.Combine(meters...), nil
	case off:
		return emissions.NewUnavailable(off, "metering is off (emissions.method)"), nil
	}
	if i := slices.IndexFunc(sources, func(s source) bool { return s.method == o.Method }); i >= 0 {
		return sources[i].open(o), nil
	}
	return nil, fmt.Errorf("emissions.method %q is not known: use one of %s", o.Method, strings.Join(Methods(), ", "))
}

// Meters are the running meters of a run, one for each place where its models
// answer.
type Meters struct {
	presence *emissions.Presence
	byServer map[string]emissions.Meter
}

// Start starts a meter for each of the model servers, host:port; an empty
// address is this process. Sampling goes on until Close.
func Start(ctx context.Context, o Options, servers []string) (*Meters, error) {
	o = o.withDefaults()
	all := &Meters{presence: new(emissions.Presence), byServer: map[string]emissions.Meter{}}
	if o.Method != off {
		all.presence = emissions.Announce(o.LockDir)
	}
	single := !slices.ContainsFunc(servers, func(addr string) bool { return !sameHost(hostOf(addr), hostOf(servers[0])) })
	for _, addr := range servers {
		if all.byServer[addr] != nil {
			continue
		}
		its, note := o, ""
		if len(o.Exporters) > 0 {
			its.Exporters, note = exportersOf(o.Exporters, addr, single)
		}
		m, err := meterOf(ctx, its, addr, all.presence)
		if err == nil && note != "" {
			m = warned{m, note}
		}
		if err == nil {
			m = emissions.WithPauses(m)
			err = m.Start(ctx)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("start metering: %w", err), all.Close())
		}
		all.byServer[addr] = m
	}
	return all, nil
}

// Of returns the meter of one of the servers that were given to Start.
func (m *Meters) Of(server string) emissions.Meter { return m.byServer[server] }

// Close ends the sampling and waits for it.
func (m *Meters) Close() error {
	err := m.presence.Close()
	for _, meter := range m.byServer {
		err = errors.Join(err, meter.Close())
	}
	return err
}

// Watch calls each, which may be nil, with the reading of every period until
// ctx ends, a given time has passed (0: none), or each returns an error. It
// returns the reading of the whole time.
func Watch(ctx context.Context, o Options, period, long time.Duration, each func(emissions.Reading) error) (whole emissions.Reading, err error) {
	m, err := open(ctx, o.withDefaults(), true)
	if err != nil {
		return whole, err
	}
	if err := m.Start(ctx); err != nil {
		return whole, err
	}
	defer m.Close()
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	begin := time.Now()
	if long > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, begin.Add(long))
		defer cancel()
	}
	for from := begin; ; {
		select {
		case <-ctx.Done():
			if whole = emissions.ReadWhole(m, begin, time.Now()); long > 0 {
				err = unwatchable(whole)
			}
			return whole, err
		case <-ticker.C:
		}
		to := time.Now()
		r := m.Read(from, to)
		if err := unwatchable(r); err != nil {
			return r, err
		}
		if each != nil {
			if err := each(r); err != nil {
				return r, err
			}
		}
		from = to
	}
}

func unwatchable(r emissions.Reading) error {
	if r.Quality == emissions.Unavailable {
		return fmt.Errorf("watch energy: %s; see disteval energy probe", r.Reason)
	}
	return nil
}
