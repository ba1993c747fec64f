package fleet

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/likelihood"
)

func sampleResult() result {
	start := time.Unix(1_800_000_000, 5).UTC()
	n := 3
	e := emissions.Energy(7)
	return result{Key: "k", Model: 1, Job: 2, Reply: &eval.Reply{Text: "Paris \u2028\x00", Reasoning: "r", DoneReason: "stop", Usage: eval.Usage{PromptTokens: &n},
		Timing: eval.Timing{Start: start, End: start.Add(time.Second), Attempts: 1, Eval: 5}, Energy: &e,
		Tokens: []eval.Token{{ID: 4, Text: "Paris", Logprob: -0.1, Top: []eval.Alternative{{ID: 4, Text: "Paris", Logprob: -0.1}}}}},
		Phases: []phase{{Name: eval.PhaseAnswer, Start: start, End: start.Add(time.Second), Reading: emissions.Reading{Start: start, End: start.Add(time.Second), Energy: 7, Quality: emissions.Measured}}}}
}

func TestResultCrossesTheWire(t *testing.T) {
	for _, text := range []string{"Paris", "\xff\xfe half a character \xe2\x82", ""} {
		want := sampleResult()
		want.Reply.Text = text
		data, err := encodeResult(want, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeResult(data)
		if err != nil {
			t.Fatal(err)
		}
		got.Text = nil
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func sampleProbe() result {
	start := time.Unix(1_800_000_000, 5).UTC()
	form := likelihood.Form{Text: " Paris", Bytes: 6, Steps: []likelihood.Step{{Text: " Paris", Logprob: -1.0 / 3, Known: true, Rank: 2,
		Top: []eval.Alternative{{ID: 4, Text: "x", Logprob: -0.1}}}}}
	return result{Key: "k", Model: 3, Job: 2, Probe: &eval.Probe{Start: start, End: start.Add(time.Second), Answers: []likelihood.Form{form}, Choices: []likelihood.Form{form},
		Divergences: []likelihood.Divergence{{SameTop1: true, KLD: 1.0 / 3, DeltaP: -0.5, DeltaPBound: metrics.AtMost}}}}
}

func TestProbeCrossesTheWire(t *testing.T) {
	want := sampleProbe()
	data, err := encodeResult(want, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeResult(data)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	want.Probe.Host, want.Probe.ProbeID = "another", eval.ProbeID{Model: "M", Query: "q"}
	if data, err = json.Marshal(want); err != nil {
		t.Fatal(err)
	}
	if got, err = decodeResult(data); err != nil || got.Probe.Host != "" || got.Probe.ProbeID != (eval.ProbeID{}) {
		t.Errorf("it names its job: %+v, %v", got.Probe, err)
	}
	for kind, spoil := range map[eval.FailureKind]func(*eval.Probe){
		eval.FailTooLong:   func(p *eval.Probe) { p.Incomparable = strings.Repeat("x", 1<<16) },
		eval.FailMalformed: func(p *eval.Probe) { p.Answers[0].Steps[0].Logprob = math.Inf(-1) },
	} {
		r := sampleProbe()
		spoil(r.Probe)
		data, err := encodeResult(r, 1<<15)
		if err != nil || len(data) > 1<<15 {
			t.Fatalf("%d bytes, %v", len(data), err)
		}
		if got, err := decodeResult(data); err != nil || got.Probe.Failure == nil || got.Probe.Failure.Kind != kind {
			t.Errorf("%s: %+v, %v", kind, got.Probe, err)
		}
	}
}

func TestProbeRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*eval.Probe){
		"failure kind":     func(p *eval.Probe) { p.Failure = &eval.Failure{Kind: "win"} },
		"end before start": func(p *eval.Probe) { p.End = p.Start.Add(-1) },
		"likely":           func(p *eval.Probe) { p.Answers[0].Steps[0].Logprob = 0.5 },
		"likely other":     func(p *eval.Probe) { p.Choices[0].Steps[0].Top[0].Logprob = 0.5 },
		"rank":             func(p *eval.Probe) { p.Answers[0].Steps[0].Rank = 0 },
		"a novel":          func(p *eval.Probe) { p.Incomparable = strings.Repeat("x", mostText+1) },
		"a form's novel":   func(p *eval.Probe) { p.Choices[0].Reason = strings.Repeat("x", mostText+1) },
		"divergence":       func(p *eval.Probe) { p.Divergences[0].KLD = -1 },
		"delta":            func(p *eval.Probe) { p.Divergences[0].DeltaP = -2 },
		"bound":            func(p *eval.Probe) { p.Divergences[0].KLDBound = "roughly" },
	} {
		r := sampleProbe()
		spoil(r.Probe)
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeResult(data); err == nil {
			t.Errorf("%s is believed", name)
		}
	}
}

func TestCheckForms(t *testing.T) {
	forms := sampleProbe().Probe.Answers
	if err := checkForms(forms, []string{" Paris"}); err != nil {
		t.Error(err)
	}
	for _, texts := range [][]string{nil, {" Rome"}, {" Paris", " Paris"}} {
		if checkForms(forms, texts) == nil {
			t.Errorf("taken for those of %q", texts)
		}
	}
}

// What a worker must not say of itself is taken from elsewhere.
func TestResultCannotNameItsJob(t *testing.T) {
	r := sampleResult()
	r.Reply.Host, r.Reply.ReusedFrom, r.Reply.JobID = "another", "another run", eval.JobID{Model: "M", Query: "q"}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeResult(data)
	if err != nil || got.Reply.Host != "" || got.Reply.ReusedFrom != "" || got.Reply.JobID != (eval.JobID{}) {
		t.Errorf("%+v, %v", got.Reply, err)
	}
}

func TestResultThatDoesNotFit(t *testing.T) {
	r := sampleResult()
	r.Reply.Text = strings.Repeat("x", 1<<16)
	data, err := encodeResult(r, 1<<15)
	if err != nil || len(data) > 1<<15 {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
	got, err := decodeResult(data)
	if err != nil || got.Reply.Failure == nil || got.Reply.Failure.Kind != eval.FailTooLong {
		t.Errorf("%+v, %v", got.Reply, err)
	}
	r = sampleResult()
	r.Reply.Tokens[0].Logprob = math.Inf(-1)
	if data, err = encodeResult(r, 1<<20); err != nil {
		t.Fatal(err)
	}
	if got, err = decodeResult(data); err != nil || got.Reply.Failure == nil || got.Reply.Failure.Kind != eval.FailMalformed {
		t.Errorf("a probability that no JSON holds: %+v, %v", got.Reply, err)
	}
}

func TestResultRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*result){
		"failure kind":      func(r *result) { r.Reply.Failure = &eval.Failure{Kind: "win"} },
		"attempts":          func(r *result) { r.Reply.Timing.Attempts = 0 },
		"end before start":  func(r *result) { r.Reply.Timing.End = r.Reply.Timing.Start.Add(-1) },
		"a year":            func(r *result) { r.Reply.Timing.End = r.Reply.Timing.Start.Add(2 * longest) },
		"negative part":     func(r *result) { r.Reply.Timing.Load = -1 },
		"likely":            func(r *result) { r.Reply.Tokens[0].Logprob = 0.5 },
		"likely other":      func(r *result) { r.Reply.Tokens[0].Top[0].Logprob = 0.5 },
		"negative tokens":   func(r *result) { n := -1; r.Reply.Usage.CompletionTokens = &n },
		"phase name":        func(r *result) { r.Phases[0].Name = "party" },
		"phase times":       func(r *result) { r.Phases[0].End = time.Time{} },
		"quality":           func(r *result) { r.Phases[0].Reading.Quality = "splendid" },
		"a power station":   func(r *result) { r.Phases[0].Reading.Energy = math.MaxUint64 },
		"a reply's energy":  func(r *result) { e := emissions.Energy(math.MaxUint64); r.Reply.Energy = &e },
		"energy of a zone":  func(r *result) { r.Phases[0].Reading.Zones = []emissions.Zone{{Name: "gpu-0", Energy: math.MaxUint64}} },
		"modelled energy":   func(r *result) { r.Phases[0].Reading.Modelled = math.MaxUint64 },
		"share":             func(r *result) { x := 1e300; r.Phases[0].Reading.ServerShare = &x },
		"zones":             func(r *result) { r.Phases[0].Reading.Zones = make([]emissions.Zone, mostZones+1) },
		"a novel":           func(r *result) { r.Phases[0].Reading.Warnings = []string{strings.Repeat("x", mostText+1)} },
		"bound of the same": func(r *result) { r.Phases[0].Reading.High = math.MaxUint64 },
	} {
		r := sampleResult()
		spoil(&r)
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeResult(data); err == nil {
			t.Errorf("%s is believed", name)
		}
	}
}

func FuzzResult(f *testing.F) {
	data, err := encodeResult(sampleResult(), 1<<20)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"phases":[{}]}`))
	if data, err = encodeResult(sampleProbe(), 1<<20); err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"reply":{"Timing":{"Attempts":1}},"text":"/w=="}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decodeResult(data)
		if err != nil {
			return
		}
		if _, err := encodeResult(r, 1<<20); err != nil && (r.Reply != nil || r.Probe != nil) {
			t.Errorf("%q is believed and cannot be sent: %v", data, err)
		}
	})
}

func FuzzHello(f *testing.F) {
	f.Add([]byte(`{"protocol":1,"name":"a","instance":"i","models":[{"provider":"ollama","model":"m"}]}`))
	f.Add([]byte(`{"protocol":1,"name":"a","now":"9999-12-31T23:59:59Z","retired":[{"run":"r","model":-1}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := newRoster(time.Now, func(string) {})
		m, refused, _ := r.greet("a", "inbox", data)
		if refused == "" && m.Name != "a" {
			t.Errorf("%q speaks as %q", data, m.Name)
		}
		for _, m := range r.present() {
			m.find(eval.Model{Provider: "ollama", Model: "m", Digest: "d"})
			m.retiredFrom("r", 0)
		}
	})
}

func TestGreet(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	var said []string
	r := newRoster(func() time.Time { return now }, func(text string) { said = append(said, text) })
	say := func(h hello) (refused string, want bool) {
		data, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		_, refused, want = r.greet("a", "inbox", data)
		return refused, want
	}
	h := hello{Protocol: protocol, Name: "a", Instance: "1", Now: now.Add(time.Minute), Digest: "d"}
	if refused, want := say(h); refused != "" || !want {
		t.Errorf("a new worker: %q, models wanted %t", refused, want)
	}
	if !strings.Contains(strings.Join(said, "\n"), "clock of a differs from this machine's by 1m0s") {
		t.Errorf("of a wrong clock is said %q", said)
	}
	h.Models = []eval.Model{{Model: "m"}}
	if refused, want := say(h); refused != "" || want {
		t.Errorf("with its models: %q, %t", refused, want)
	}
	h.Models, h.Digest = nil, "other"
	if _, want := say(h); !want {
		t.Error("models that changed are not wanted")
	}
	second := h
	second.Instance = "2"
	if refused, _ := say(second); !strings.Contains(refused, "another worker is called a") {
		t.Errorf("a second of the name: %q", refused)
	}
	now = now.Add(absentAfter)
	if refused, _ := say(second); refused != "" {
		t.Errorf("when the first has gone: %q", refused)
	}
	second.Protocol++
	if refused, _ := say(second); !strings.Contains(refused, "same version") {
		t.Errorf("another protocol: %q", refused)
	}
}

func TestNumbers(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(1_800_000_000+s, 0) }
	answers := func(start, end int64) eval.Phase {
		return eval.Phase{Model: "M", Host: "a", Name: eval.PhaseAnswer, Start: at(start), End: at(end)}
	}
	stored := answers(0, 5)
	stored.Process = 1
	n := newNumbers(2, []eval.Phase{stored})
	for _, step := range []struct {
		phase   eval.Phase
		want    int
		further bool
	}{
		{answers(0, 6), 1, true},
		{answers(0, 4), 1, false}, // sent before, and overtaken
		{answers(0, 6), 1, true},
		{answers(10, 11), 2, true},
		{answers(10, 13), 2, true},
		{answers(10, 12), 2, false},
		{answers(20, 21), 3, true},
	} {
		if got, further := n.of(step.phase); got != step.want || further != step.further {
			t.Errorf("the turn of %v until %v is number %d, %v; want %d, %v", step.phase.Start, step.phase.End, got, further, step.want, step.further)
		}
	}
}

func TestSelected(t *testing.T) {
	for _, tt := range []struct {
		share float64
		jobs  int
		want  int
	}{{0, 100, 0}, {0.05, 200, 10}, {1, 7, 7}, {0.5, 3, 1}} {
		n := 0
		for _, s := range selected(tt.share, tt.jobs) {
			if s {
				n++
			}
		}
		if n != tt.want {
			t.Errorf("%v of %d: %d", tt.share, tt.jobs, n)
		}
	}
}

func TestTaskCheck(t *testing.T) {
	many := 1 << 20
	m := eval.Model{ContextLength: 128}
	for name, spoil := range map[string]func(*eval.Generation){
		"num_ctx 0": func(g *eval.Generation) { g.NumCtx = 0 }, "num_ctx": func(g *eval.Generation) { g.NumCtx = 129 },
		"num_predict": func(g *eval.Generation) { g.NumPredict = 1 << 30 }, "num_thread": func(g *eval.Generation) { g.NumThread = &many },
		"stop": func(g *eval.Generation) { g.Stop = make([]string, 65) },
	} {
		g := eval.DefaultGeneration()
		if (task{Generation: g}).check(m) != nil {
			t.Fatal("the defaults are refused")
		}
		spoil(&g)
		if (task{Generation: g}).check(m) == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestQuestionCheck(t *testing.T) {
	of := task{Model: 1, Digest: "d"}
	sound := question{Run: "r", Key: "n-1-2-0-ff", Model: 1, Digest: "d"}
	if err := sound.check("r", of); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*question){
		"run":          func(q *question) { q.Run = "s" },
		"model":        func(q *question) { q.Model = 2 },
		"digest":       func(q *question) { q.Digest = "/etc/passwd" },
		"no key":       func(q *question) { q.Key = "" },
		"header":       func(q *question) { q.Key = "k\r\nNats-Rollup: all" },
		"long key":     func(q *question) { q.Key = strings.Repeat("k", 1000) },
		"alternatives": func(q *question) { q.Request.Logprobs = 1 << 30 },
		"tokens":       func(q *question) { q.Before.Tokens = -1 },
		"a probe":      func(q *question) { q.Probe = &eval.ProbeRequest{} },
	} {
		q := sound
		spoil(&q)
		if q.check("r", of) == nil {
			t.Errorf("%s is believed", name)
		}
	}
}

func TestProbeQuestionCheck(t *testing.T) {
	of := task{Model: 1, Digest: "d", Probe: true}
	sound := question{Run: "r", Key: "n-1-2-0-ff", Model: 1, Digest: "d", Probe: &eval.ProbeRequest{Texts: []string{" Paris"}}}
	if err := sound.check("r", of); err != nil {
		t.Error(err)
	}
	for name, probe := range map[string]*eval.ProbeRequest{
		"none": nil, "texts": {Texts: make([]string, mostForms+1)}, "choices": {Choices: make([]string, mostForms+1)}, "reply": {Reply: make([]eval.Token, mostCompared+1)},
	} {
		q := sound
		q.Probe = probe
		if q.check("r", of) == nil {
			t.Errorf("%s is believed", name)
		}
	}
}

func TestHelloCheck(t *testing.T) {
	for name, h := range map[string]hello{
		"processors": {Host: eval.Host{CPUs: -1}},
		"memory":     {Host: eval.Host{MemoryGB: 1e300}},
		"a novel":    {Energy: strings.Repeat("x", mostText+1)},
		"retired":    {Retired: make([]retirement, mostRetired+1)},
		"models":     {Models: make([]eval.Model, mostModels+1)},
	} {
		if checkHello(h) == nil {
			t.Errorf("%s is believed", name)
		}
	}
	if err := checkHello(hello{Host: eval.Host{CPUs: 8, MemoryGB: 64}}); err != nil {
		t.Error(err)
	}
}
