package text

import (
	"fmt"
	"strings"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/reports"
)

type workerHost struct {
	Name        string  `json:"name"`
	Fingerprint *string `json:"fingerprint"`
	Replies     int     `json:"replies"`
	Models      []seat  `json:"models"`
}

type seat struct {
	Model     string            `json:"model"`
	Replies   int               `json:"replies"`
	Failures  int               `json:"failures"`
	BusyS     *float64          `json:"busy_s"`
	WallS     *float64          `json:"wall_s"`
	LatencyMS latency           `json:"latency_ms"`
	Wh        *float64          `json:"wh"`
	Quality   emissions.Quality `json:"quality"`
	Reason    *string           `json:"reason"`
}

type auditPair struct {
	Model       string   `json:"model"`
	Hosts       []string `json:"hosts"`
	N           int      `json:"n"`
	Same        int      `json:"same_text"`
	Logprobs    int      `json:"logprobs_n"`
	SameLogprob int      `json:"same_logprobs"`
	Differ      []string `json:"differ"`
}

func machinesOf(all []reports.Machine) []workerHost {
	out := make([]workerHost, 0, len(all))
	for _, m := range all {
		to := workerHost{Name: m.Name, Fingerprint: stated(m.Fingerprint), Replies: m.Replies}
		for _, s := range m.Seats {
			to.Models = append(to.Models, seat{Model: s.Model, Replies: s.Replies, Failures: s.Failures, BusyS: finite(s.BusyS), WallS: finite(s.WallS),
				LatencyMS: latency{finite(s.LatencyMS.P50), finite(s.LatencyMS.P95), finite(s.LatencyMS.P99)},
				Wh:        finite(s.EnergyWh), Quality: s.Quality, Reason: stated(s.Reason)})
		}
		out = append(out, to)
	}
	return out
}

func agreementsOf(all []reports.Agreement) []auditPair {
	out := make([]auditPair, 0, len(all))
	for _, g := range all {
		to := auditPair{Model: g.Model, Hosts: []string{g.A, g.B}, N: g.N, Same: g.Same, Logprobs: g.Scored, SameLogprob: g.SameScored, Differ: []string{}}
		for _, id := range g.Differ {
			to.Differ = append(to.Differ, id.String())
		}
		out = append(out, to)
	}
	return out
}

// writeMachines shows which host answered what, how fast and at what energy.
func writeMachines(b *strings.Builder, r reports.Report) {
	if len(r.Machines) == 0 {
		return
	}
	b.WriteString("\n### Machines\n\n| Host | Kind | Model | Replies | Failed | Busy s | Wall s | p50 ms | p95 ms | Wh | Energy |\n|---|---|---|---:|---:|---:|---:|---:|---:|---:|---|\n")
	for _, m := range r.Machines {
		for _, s := range m.Seats {
			cells(b, code(m.Name), prose(m.Fingerprint), code(s.Model), fmt.Sprint(s.Replies), fmt.Sprint(s.Failures),
				reports.Seconds(s.BusyS), reports.Seconds(s.WallS), reports.Fixed(s.LatencyMS.P50, 0), reports.Fixed(s.LatencyMS.P95, 0), reports.Wh(s.EnergyWh), prose(string(s.Quality)))
		}
	}
	for _, g := range r.Agreements {
		fmt.Fprintf(b, "\n- %s\n", prose(g.Sentence()))
	}
}
