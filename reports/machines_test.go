package reports_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/queries"
	"github.com/disteval/disteval/reports"
)

// fleetRun is a run that two workers answered for: a from 0 s to 10 s, b from
// 5 s to 20 s.
type fleetRun struct{ meterOfB emissions.Quality }

var fleetStart = time.Unix(1_800_000_000, 0)

func at(seconds float64) time.Time {
	return fleetStart.Add(time.Duration(seconds * float64(time.Second)))
}

func (r fleetRun) Record() eval.RunRecord {
	p := eval.Plan{Parallel: 1, Models: []eval.Model{{Name: "M"}}}
	for i := range 20 {
		p.Queries.Queries = append(p.Queries.Queries, queries.Query{ID: fmt.Sprintf("q%02d", i), Prompt: "p", Keyword: "k"})
	}
	reading := func(from, to float64, quality emissions.Quality, joules uint64) emissions.Reading {
		e := emissions.Energy(joules * 1e6)
		out := emissions.Reading{Start: at(from), End: at(to), Energy: e, Low: e, High: e, Quality: quality, Method: "rapl"}
		if quality == emissions.Unavailable {
			out.Energy, out.Low, out.High, out.Reason = 0, 0, 0, "no counters"
		}
		return out
	}
	kind := eval.Host{OS: "linux", Arch: "amd64", CPUModel: "X", CPUs: 8}
	other := kind
	other.CPUModel = "Y"
	second := eval.Reply{JobID: eval.JobID{Model: "M", Query: "q00"}, Text: "text 0", Host: "b"}
	differs := eval.Reply{JobID: eval.JobID{Model: "M", Query: "q02"}, Text: "something else", Host: "b"}
	return eval.RunRecord{ID: "r", Plan: p, Host: eval.Host{OS: "darwin"}, Hosts: map[string]eval.Host{"a": kind, "b": other}, Audits: []eval.Reply{second, differs},
		Phases: []eval.Phase{
			{Model: "M", Host: "a", Process: 1, Name: eval.PhaseAnswer, Start: at(0), End: at(10), Reading: reading(0, 10, emissions.Measured, 3600)},
			{Model: "M", Host: "b", Process: 1, Name: eval.PhaseAnswer, Start: at(5), End: at(20), Reading: reading(5, 20, r.meterOfB, 7200)},
		}}
}

func (r fleetRun) Replies(context.Context) iter.Seq2[eval.ScoredReply, error] {
	return func(yield func(eval.ScoredReply, error) bool) {
		for i, q := range r.Record().Plan.Queries.Queries {
			host, start := "a", at(float64(i)/2)
			if i%2 == 1 {
				host, start = "b", at(5+float64(i)/2)
			}
			reply := eval.Reply{JobID: eval.JobID{Model: "M", Query: q.ID}, Text: fmt.Sprintf("text %d", i), Host: host,
				Timing: eval.Timing{Start: start, End: start.Add(500 * time.Millisecond), Attempts: 1}}
			if !yield(eval.ScoredReply{Reply: reply, Query: q}, nil) {
				return
			}
		}
	}
}

func (fleetRun) Reviews(context.Context) ([]eval.Review, error) { return nil, nil }

func close6(got *float64, want float64) bool { return got != nil && math.Abs(*got-want) < 1e-6 }

func TestMachines(t *testing.T) {
	r, err := reports.Build(t.Context(), fleetRun{emissions.Measured}, reports.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := r.Models[0]
	if !close6(m.DurationS, 20) { // 10 s and 15 s overlap by 5 s
		t.Errorf("wall time %v, want the union, 20 s", *m.DurationS)
	}
	if !close6(m.Energy.Wh, 3) || m.Energy.Quality != emissions.Measured {
		t.Errorf("energy %v Wh, %s; want the sum, 3 Wh, measured", m.Energy.Wh, m.Energy.Quality)
	}
	if len(r.Machines) != 2 {
		t.Fatalf("machines: %+v", r.Machines)
	}
	for i, want := range []struct {
		name    string
		replies int
		busy    float64
		wh      float64
	}{{"a", 10, 5, 1}, {"b", 10, 5, 2}} {
		got := r.Machines[i]
		s := got.Seats[0]
		if got.Name != want.name || got.Replies != want.replies || !close6(s.BusyS, want.busy) || !close6(s.EnergyWh, want.wh) || !close6(s.LatencyMS.P50, 500) {
			t.Errorf("machine: %+v, busy %v", got, *s.BusyS)
		}
	}
	if kind := r.HostKind(); kind != "linux/amd64 X x8 + linux/amd64 Y x8" {
		t.Errorf("host kind: %s", kind)
	}
	if len(r.Agreements) != 1 || r.Agreements[0].N != 2 || r.Agreements[0].Same != 1 || !strings.Contains(r.Agreements[0].Sentence(), "differ on q02") {
		t.Errorf("agreements: %+v", r.Agreements)
	}
}

// probedRun is one whose first query was probed on a and its third on b: a
// answered both.
type probedRun struct{ fleetRun }

func (r probedRun) Replies(ctx context.Context) iter.Seq2[eval.ScoredReply, error] {
	return func(yield func(eval.ScoredReply, error) bool) {
		hosts := map[string]string{"q00": "a", "q02": "b"}
		for reply, err := range r.fleetRun.Replies(ctx) {
			if host, ok := hosts[reply.Query.ID]; ok {
				reply.Probe = &eval.Probe{ProbeID: eval.ProbeID{Model: "M", Query: reply.Query.ID}, Host: host}
				reply.Scores = []metrics.Score{{Metric: metrics.EM, Value: 1, Status: metrics.Scored}, {Metric: metrics.AnswerBits, Value: 3, Status: metrics.Scored}}
			}
			if !yield(reply, err) {
				return
			}
		}
	}
}

// What a host said of texts is left out with it, and the answer of another host
// stays.
func TestProbesWithoutHosts(t *testing.T) {
	run, err := reports.WithoutHosts(probedRun{}, []string{"b"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]metrics.Status{}
	for r, err := range run.Replies(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Scores) == 0 {
			continue
		}
		bits := metrics.Find(r.Scores, metrics.AnswerBits)
		got[r.Query.ID] = bits.Status
		if (r.Probe != nil) != (bits.Status == metrics.Scored) || metrics.Find(r.Scores, metrics.EM).Value != 1 {
			t.Errorf("%s: %+v, %+v", r.Query.ID, r.Probe, r.Scores)
		}
	}
	if want := map[string]metrics.Status{"q00": metrics.Scored, "q02": metrics.Unscored}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A host without a meter leaves the sum partial and is named.
func TestMachineWithoutMeter(t *testing.T) {
	r, err := reports.Build(t.Context(), fleetRun{emissions.Unavailable}, reports.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e := r.Models[0].Energy
	if e.Quality != emissions.Partial || !close6(e.Wh, 1) || !strings.Contains(e.Reason, "no meter on b") {
		t.Errorf("energy: %+v", e)
	}
	if s := r.Machines[1].Seats[0]; s.EnergyWh != nil || s.Reason == "" {
		t.Errorf("seat: %+v", s)
	}
}

func TestWithoutHosts(t *testing.T) {
	run, err := reports.WithoutHosts(fleetRun{emissions.Measured}, []string{"b"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := reports.Build(t.Context(), run, reports.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := r.Models[0]
	if m.Replies != 10 || m.Missing != 10 || r.Status != reports.Partial || !close6(m.DurationS, 10) || !close6(m.Energy.Wh, 1) ||
		len(r.Machines) != 1 || len(r.Agreements) != 0 || !strings.Contains(strings.Join(r.Warnings, "\n"), "left out: b") {
		t.Errorf("without b: %+v\n%v", m, r.Warnings)
	}

	var hint interface{ Hint() string }
	if _, err := reports.WithoutHosts(fleetRun{}, []string{"nobody"}); !errors.As(err, &hint) || !strings.Contains(hint.Hint(), "a, b") {
		t.Errorf("a host that nobody knows: %v", err)
	}
}
