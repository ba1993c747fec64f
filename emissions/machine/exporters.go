package machine

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/emissions/exporter"
	"github.com/disteval/disteval/emissions/hostload"
)

// exportersOf returns those of the exporters that are on the host of a model
// server. Where a run has a single host and none is there by name, they are
// all taken for that host's, which note says.
func exportersOf(urls []string, server string, single bool) (mine []string, note string) {
	host := hostOf(server)
	for _, u := range urls {
		if sameHost(exporter.Host(u), host) {
			mine = append(mine, u)
		}
	}
	if len(mine) == 0 && single {
		return urls, fmt.Sprintf("no exporter is on %s by name: the energy of those that are named is taken for that machine's", hostName(host))
	}
	return mine, ""
}

func hostName(host string) string {
	if host == "" {
		return "this machine"
	}
	return "the model server's host " + host
}

// hostOf is the host of host:port; empty for this process.
func hostOf(addr string) string {
	if host, _, err := net.SplitHostPort(addr); err == nil {
		return host
	}
	return addr
}

// resolving is how long a name server may take.
const resolving = 2 * time.Second

// sameHost tells whether two names are one machine's, as far as they and the
// name server say.
func sameHost(a, b string) bool {
	if strings.EqualFold(a, b) || hostload.IsLocal(a) && hostload.IsLocal(b) {
		return true
	}
	theirs := addresses(b)
	return slices.ContainsFunc(addresses(a), func(ip netip.Addr) bool { return slices.Contains(theirs, ip) })
}

func addresses(host string) []netip.Addr {
	ctx, cancel := context.WithTimeout(context.Background(), resolving)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil
	}
	for i := range ips {
		ips[i] = ips[i].Unmap()
	}
	return ips
}

// openExporters returns a meter over exporters. On this machine its own
// counters are taken for what no exporter counts, and nothing is estimated:
// no joule is read twice.
func openExporters(ctx context.Context, o Options, urls []string, local bool) (emissions.Meter, error) {
	m, err := exporter.New(urls)
	if err != nil || !local {
		return m, err
	}
	probes, err := exporter.Examine(ctx, urls)
	if err != nil {
		return nil, err
	}
	covered := map[emissions.Kind]bool{}
	for _, p := range probes {
		for _, z := range p.Zones {
			covered[z.Kind] = covered[z.Kind] || z.Counted
		}
	}
	meters := []emissions.Meter{m}
	if len(covered) == 0 {
		return m, nil // it may come up yet, and then what it covers is not known
	}
	for _, f := range chosen(examine(o)) {
		counter := f.Method != hostload.Method && f.Quality != emissions.Unavailable
		if counter && !covered[f.Kind] && !covered[emissions.Platform] {
			meters = append(meters, f.source.open(o))
		}
	}
	return emissions.Combine(meters...), nil
}

func probeExporters(ctx context.Context, urls []string) []Finding {
	probes, err := exporter.Examine(ctx, urls)
	if err != nil {
		return []Finding{{Method: exporter.Method, Title: "Exporters", Quality: emissions.Unavailable, Reason: err.Error()}}
	}
	var all []Finding
	for _, p := range probes {
		f := Finding{Method: exporter.Method, Title: "Exporter " + p.URL, Quality: emissions.Unavailable, Reason: p.Reason, Present: true}
		failed := false
		for _, z := range p.Zones {
			state := readable
			switch {
			case z.Failed != "":
				state = z.Failed
			case z.Modelled:
				state = "modelled by the exporter, not measured"
			}
			f.Zones = append(f.Zones, Zone{Name: z.Name, ID: z.Counter, Counted: z.Counted, Detail: z.Why, State: state})
			switch {
			case !z.Counted:
			case z.Failed != "":
				failed = true
			case z.Modelled && f.Quality == emissions.Unavailable:
				f.Quality = emissions.Estimated
			case !z.Modelled && f.Quality == emissions.Unavailable:
				f.Quality = emissions.Measured
			case z.Modelled:
				f.Quality = emissions.QualityOfSum(f.Quality, emissions.Estimated)
			default:
				f.Quality = emissions.QualityOfSum(f.Quality, emissions.Measured)
			}
		}
		if failed && f.Quality != emissions.Unavailable {
			f.Quality = emissions.Partial
		}
		all = append(all, f)
	}
	return all
}

// warned adds a warning to every reading.
type warned struct {
	emissions.Meter
	text string
}

func (w warned) Read(from, to time.Time) emissions.Reading {
	r := w.Meter.Read(from, to)
	r.Warnings = append(r.Warnings, w.text)
	return r
}
