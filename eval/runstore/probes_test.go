package runstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/likelihood"
)

func TestProbes(t *testing.T) {
	s, dir := create(t, 3)
	ctx := t.Context()
	step := likelihood.Step{ID: 7, Text: "\u202eé\x00", Logprob: -1.0 / 3, Known: true, Rank: 2, Top: []likelihood.Alternative{{ID: -1, Text: "x", Logprob: -0.1}}}
	whole := eval.Probe{ProbeID: eval.ProbeID{Model: "A", Query: "q0000"}, Start: time.Unix(1, 2), End: time.Unix(3, 4),
		Answers:     []likelihood.Form{{Text: "K", Bytes: 2, Steps: []likelihood.Step{step}}, {Text: "L", Bytes: 2, Reason: "lost"}},
		Choices:     []likelihood.Form{{Text: "K", Bytes: 2, Steps: []likelihood.Step{{Logprob: -2, Known: true}}, Cut: true}},
		Divergences: []likelihood.Divergence{{SameTop1: true, KLD: 0.1, KLDBound: metrics.AtLeast, DeltaP: -0.5, DeltaPBound: metrics.AtMost}}}
	failed := eval.Probe{ProbeID: eval.ProbeID{Model: "A", Query: "q0001"}, Start: time.Unix(1, 2), End: time.Unix(3, 4), Incomparable: "why",
		Failure: &eval.Failure{Kind: eval.FailRefused, Message: "gone"}}
	for _, q := range []string{"q0000", "q0001", "q0002"} {
		must(t, s.Put(ctx, eval.Reply{JobID: eval.JobID{Model: "A", Query: q}, Text: "x"}))
	}
	alone := eval.Probe{ProbeID: eval.ProbeID{Model: "B", Query: "q0000"}, Answers: whole.Answers, Divergences: []likelihood.Divergence{}, Host: "gpu1"}
	must(t, s.PutProbe(ctx, failed), s.PutProbe(ctx, whole), s.PutProbe(ctx, alone), s.Flush(ctx))
	s = reopen(t, s, dir)
	done, err := s.Probed(ctx)
	if diff := cmp.Diff(map[eval.ProbeID]bool{whole.ProbeID: true, alone.ProbeID: false}, done); err != nil || diff != "" {
		t.Errorf("Probed: %v, -want +got:\n%s", err, diff)
	}
	got := collect(t, s)
	if diff := cmp.Diff([]*eval.Probe{&whole, &failed, nil}, []*eval.Probe{got[0].Probe, got[1].Probe, got[2].Probe}); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if bits := metrics.Find(got[0].Scores, metrics.AnswerBits); bits.Status != metrics.Scored || bits.Bound != metrics.AtMost {
		t.Errorf("answer_bits %+v, not derived from the probe", bits)
	}
	for i, want := range map[int]string{1: "refused: gone", 2: "no log-probabilities"} {
		if s := metrics.Find(got[i].Scores, metrics.AnswerBits); s.Status != metrics.Unscored || !strings.Contains(s.Reason, want) {
			t.Errorf("%d: %+v, want %q", i, s, want)
		}
	}
	if err := s.PutProbe(ctx, eval.Probe{ProbeID: eval.ProbeID{Model: "nobody", Query: "q0000"}}); err == nil {
		t.Error("a probe of no model of the plan")
	}
}

// TestTokens reads those of a reply, and none of a failure or of what is not
// asked yet.
func TestTokens(t *testing.T) {
	s, _ := create(t, 4)
	ctx := t.Context()
	want := []eval.Token{{ID: 7, Text: "\u202eé\x00", Logprob: -1.0 / 3}}
	id := func(query string) eval.JobID { return eval.JobID{Model: "A", Query: query} }
	must(t, s.Put(ctx, eval.Reply{JobID: id("q0000"), Text: "x", Tokens: want}), s.Put(ctx, eval.Reply{JobID: id("q0001"), Text: "x"}),
		s.Put(ctx, eval.Reply{JobID: id("q0002"), Tokens: want, Failure: &eval.Failure{Kind: eval.FailRefused}}), s.Flush(ctx))
	for query, expected := range map[string]struct {
		tokens []eval.Token
		ok     bool
	}{"q0000": {want, true}, "q0001": {nil, true}, "q0002": {nil, false}, "q0003": {nil, false}} {
		got, ok, err := s.Tokens(ctx, id(query))
		if diff := cmp.Diff(expected.tokens, got); err != nil || ok != expected.ok || diff != "" {
			t.Errorf("%s: %v, %v, -want +got:\n%s", query, ok, err, diff)
		}
	}
	if _, _, err := s.Tokens(ctx, id("nothing")); err == nil {
		t.Error("the tokens of no query of the plan")
	}
}

// TestUnableModel: what a model says nothing of is stored once, for all of its
// queries, and counts as an outcome of each.
func TestUnableModel(t *testing.T) {
	s, dir := create(t, 2)
	ctx := t.Context()
	const why = "the server gives none"
	for _, query := range []string{"q0000", "q0001"} {
		must(t, s.Put(ctx, eval.Reply{JobID: eval.JobID{Model: "A", Query: query}}))
	}
	must(t, s.PutProbe(ctx, eval.Probe{ProbeID: eval.ProbeID{Model: "A", Query: "q0000"}, Answers: []likelihood.Form{{Text: "K", Bytes: 2, Reason: why}}, Unable: why}),
		s.Flush(ctx), s.Close())
	s, err := runstore.Read(ctx, dir)
	must(t, err)
	if got := s.Record().Unprobed["A"]; got != why {
		t.Errorf("unprobed because %q", got)
	}
	done, err := s.Probed(ctx)
	if must(t, err); !done[eval.ProbeID{Model: "A", Query: "q0001"}] || done[eval.ProbeID{Model: "B", Query: "q0001"}] {
		t.Errorf("%v", done)
	}
	for _, r := range collect(t, s)[:2] {
		if bits := metrics.Find(r.Scores, metrics.AnswerBits); bits.Status != metrics.Unscored || !strings.Contains(bits.Reason, why) {
			t.Errorf("%s: %+v", r.Query.ID, bits)
		}
	}
	must(t, s.Close(), runstore.Damage(dir, `UPDATE meta SET value = replace(value, 'gives', 'gave') WHERE key = 'unprobed A'`))
	if s, err := runstore.Read(ctx, dir); err == nil || !strings.Contains(err.Error(), "not what was stored") {
		t.Errorf("%v, %v", s, err)
	}
}

// TestDamagedProbe: a figure that was changed in the file is not believed.
func TestDamagedProbe(t *testing.T) {
	s, dir := create(t, 1)
	ctx := t.Context()
	must(t, s.Put(ctx, eval.Reply{JobID: eval.JobID{Model: "A", Query: "q0000"}}),
		s.PutProbe(ctx, eval.Probe{ProbeID: eval.ProbeID{Model: "A", Query: "q0000"}, Answers: []likelihood.Form{{Text: "K", Bytes: 2}}}),
		s.Flush(ctx), s.Close())
	must(t, runstore.Damage(dir, `UPDATE probes SET answers = replace(answers, '"bytes":2', '"bytes":3')`))
	s, err := runstore.Read(ctx, dir)
	must(t, err)
	defer s.Close()
	for _, err := range s.Replies(ctx) {
		if err == nil || !strings.Contains(err.Error(), "not what was stored") {
			t.Errorf("%v", err)
		}
	}
}

// TestProbesWithoutHosts reads and goes on with a record from before a probe
// named the host that looked.
func TestProbesWithoutHosts(t *testing.T) {
	s, dir := create(t, 2)
	ctx := t.Context()
	probe := eval.Probe{ProbeID: eval.ProbeID{Model: "A", Query: "q0000"}, Start: time.Unix(1, 2), End: time.Unix(3, 4), Answers: []likelihood.Form{{Text: "K", Bytes: 2}}}
	must(t, s.Put(ctx, eval.Reply{JobID: eval.JobID{Model: "A", Query: "q0000"}}), s.PutProbe(ctx, probe), s.Flush(ctx), s.Close())
	must(t, runstore.Damage(dir, `ALTER TABLE probes DROP COLUMN host; PRAGMA user_version = 4`))
	s, err := runstore.Read(ctx, dir)
	must(t, err)
	if got := collect(t, s); got[0].Probe == nil || got[0].Probe.Answers[0].Text != "K" {
		t.Errorf("read: %+v", got[0].Probe)
	}
	must(t, s.Close())
	s, err = runstore.Open(ctx, dir)
	must(t, err)
	probe.Host = "gpu1"
	must(t, s.PutProbe(ctx, probe), s.Flush(ctx))
	if got := collect(t, s); got[0].Probe == nil || got[0].Probe.Host != "gpu1" {
		t.Errorf("gone on with: %+v", got[0].Probe)
	}
	must(t, s.Close(), runstore.Damage(dir, `UPDATE probes SET host = 'gpu2'`))
	s, err = runstore.Read(ctx, dir)
	must(t, err)
	defer s.Close()
	for _, err := range s.Replies(ctx) {
		if err == nil || !strings.Contains(err.Error(), "not what was stored") {
			t.Errorf("another host's name is believed: %v", err)
		}
	}
}
