package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
)

// hello is what a worker says of itself, every helloEvery and when it is asked.
type hello struct {
	Protocol int          `json:"protocol"`
	Version  string       `json:"version"` // of its program
	Name     string       `json:"name"`
	Instance string       `json:"instance"` // of this start of it
	Host     eval.Host    `json:"host"`
	Energy   string       `json:"energy"` // what it can measure
	Now      time.Time    `json:"now"`
	Busy     string       `json:"busy,omitempty"` // the run that it works for
	Retired  []retirement `json:"retired,omitempty"`
	Digest   string       `json:"digest"`           // of Models
	Models   []eval.Model `json:"models,omitempty"` // what it serves, without addresses; only for who has asked for them
}

// retirement says that a worker answers no more for a model of a run.
type retirement struct {
	Run    string `json:"run"`
	Model  int    `json:"model"`
	Reason string `json:"reason"`
}

// orders is a coordinator's answer to a hello.
type orders struct {
	Protocol int           `json:"protocol"`
	Refused  string        `json:"refused,omitempty"` // why there is nothing to do here
	Want     bool          `json:"want,omitempty"`    // say hello again, with the models
	Run      string        `json:"run,omitempty"`
	AckWait  time.Duration `json:"ack_wait_ns,omitempty"`
	Tasks    []task        `json:"tasks,omitempty"` // models with open questions, those of the worker only
}

// task is a model that has open questions.
type task struct {
	Model      int             `json:"model"` // page of the coordinator's book, by which messages name it
	Of         int             `json:"of"`    // index of the model in the plan
	Probe      bool            `json:"probe,omitempty"`
	Beside     *task           `json:"beside,omitempty"` // the reference that probes compare with, to be loaded beside the model
	Provider   string          `json:"provider"`
	Digest     string          `json:"digest"`
	Version    string          `json:"version"` // of the provider
	Generation eval.Generation `json:"generation"`
	Audit      bool            `json:"audit,omitempty"` // there may be questions for this worker alone
}

// question is one job as it lies in the queue.
type question struct {
	Run     string       `json:"run"`
	Key     string       `json:"key"` // of this giving out of the job; the reply's message has it too
	Model   int          `json:"model"`
	Job     int          `json:"job"`    // index in the plan's order of the model's jobs
	Digest  string       `json:"digest"` // of the weights
	Request eval.Request `json:"request"`
	Before  eval.Request `json:"before"` // the question before it, to warm up with
	Audit   bool         `json:"audit,omitempty"`

	Probe *eval.ProbeRequest `json:"probe,omitempty"` // in place of Request
}

// result is what a worker brings: a reply, phases of its turn, or both.
type result struct {
	Key    string      `json:"key"`
	Model  int         `json:"model"`
	Job    int         `json:"job"`
	Audit  bool        `json:"audit,omitempty"`
	Reply  *eval.Reply `json:"reply,omitempty"`  // its JobID is empty
	Text   []byte      `json:"text,omitempty"`   // of the reply, where it is no UTF-8
	Probe  *eval.Probe `json:"probe,omitempty"`  // its ProbeID is empty, its forms are named by the texts asked for
	Phases []phase     `json:"phases,omitempty"` // of the model
}

// phase is one part of a worker's turn. The answer phase comes again as it
// grows, told by its start.
type phase struct {
	Name    eval.PhaseName    `json:"name"`
	Start   time.Time         `json:"start"`
	End     time.Time         `json:"end"`
	Reading emissions.Reading `json:"reading"`
}

// encodeResult makes a message of at most limit bytes; a reply that does not
// fit becomes a failure.
func encodeResult(r result, limit int) ([]byte, error) {
	if r.Reply != nil {
		reply := *r.Reply
		reply.JobID, reply.Host = eval.JobID{}, ""
		if !utf8.ValidString(reply.Text) {
			r.Text, reply.Text = []byte(reply.Text), ""
		}
		r.Reply = &reply
	}
	data, err := json.Marshal(r)
	if err == nil && len(data) <= limit {
		return data, nil
	}
	if r.Reply == nil && r.Probe == nil {
		return nil, errors.Join(err, fmt.Errorf("a message of %d bytes, and the server takes %d", len(data), limit))
	}
	f := &eval.Failure{Kind: eval.FailTooLong, Message: fmt.Sprintf("the reply is a message of %d bytes, and the NATS server takes %d (max_payload)", len(data), limit)}
	if err != nil {
		f = &eval.Failure{Kind: eval.FailMalformed, Message: err.Error()}
	}
	r.Text = nil
	if r.Probe != nil {
		r.Probe = &eval.Probe{Start: r.Probe.Start, End: r.Probe.End, Failure: f}
		return json.Marshal(r)
	}
	r.Reply = &eval.Reply{Timing: r.Reply.Timing, Failure: f}
	return json.Marshal(r)
}

// decodeResult reads what came from a worker and refuses what cannot be.
func decodeResult(data []byte) (result, error) {
	var r result
	if err := json.Unmarshal(data, &r); err != nil {
		return r, err
	}
	if r.Reply != nil {
		r.Reply.JobID, r.Reply.Host, r.Reply.ReusedFrom = eval.JobID{}, "", ""
		if r.Text != nil {
			r.Reply.Text = string(r.Text)
		}
		if err := checkReply(*r.Reply); err != nil {
			return r, err
		}
	}
	if r.Probe != nil {
		r.Probe.ProbeID, r.Probe.Host = eval.ProbeID{}, ""
		if err := checkProbe(*r.Probe); err != nil {
			return r, err
		}
	}
	for _, p := range r.Phases {
		if err := checkPhase(p); err != nil {
			return r, err
		}
	}
	return r, nil
}

var failureKinds = []eval.FailureKind{eval.FailRefused, eval.FailTimeout, eval.FailStatus, eval.FailTruncated,
	eval.FailMalformed, eval.FailTooLong, eval.FailGenerator, eval.FailReplaced}

const (
	mostAttempts = 1000
	longest      = 366 * 24 * time.Hour // of anything that is timed
)

func checkReply(r eval.Reply) error {
	t := r.Timing
	switch {
	case r.Failure != nil && !slices.Contains(failureKinds, r.Failure.Kind):
		return fmt.Errorf("a failure of kind %q", r.Failure.Kind)
	case t.Attempts < 1 || t.Attempts > mostAttempts:
		return fmt.Errorf("%d attempts", t.Attempts)
	case !interval(t.Start, t.End):
		return fmt.Errorf("a reply from %v to %v", t.Start, t.End)
	case r.Energy != nil && *r.Energy > mostEnergy(t.Latency()):
		return fmt.Errorf("%.0f J in %v", r.Energy.Joules(), t.Latency())
	}
	for _, d := range []time.Duration{t.Load, t.PromptEval, t.Eval} {
		if d < 0 || d > longest {
			return fmt.Errorf("a part of %v in a reply of %v", d, t.Latency())
		}
	}
	for _, k := range r.Tokens {
		if !logprob(k.Logprob) || slices.ContainsFunc(k.Top, func(a eval.Alternative) bool { return !logprob(a.Logprob) }) {
			return fmt.Errorf("the log-probability of token %q is above 0", k.Text)
		}
	}
	return r.Usage.Check()
}

func logprob(v float64) bool { return v <= 0 && !math.IsInf(v, 0) }

// interval reports whether from is not after to and both are times that a
// record can hold.
func interval(from, to time.Time) bool {
	earliest, latest := time.Unix(0, 0), time.Unix(1<<33, 0)
	return from.After(earliest) && to.Before(latest) && !to.Before(from) && to.Sub(from) <= longest
}

var phaseNames = []eval.PhaseName{eval.PhaseLoad, eval.PhaseWarmup, eval.PhaseAnswer, eval.PhaseProbe, eval.PhaseUnload}
var qualities = []emissions.Quality{emissions.Measured, emissions.Partial, emissions.Estimated, emissions.Unavailable}

// Bounds of what a machine is believed to draw and to have.
const (
	mostPower = 1e6 // W
	mostZones = 1000
	mostText  = 64 << 10 // bytes of what is said beside a figure
)

func mostEnergy(d time.Duration) emissions.Energy {
	return emissions.Energy(mostPower * (d.Seconds() + 1) * 1e6)
}

func checkPhase(p phase) error {
	switch {
	case !slices.Contains(phaseNames, p.Name):
		return fmt.Errorf("a phase called %q", p.Name)
	case !interval(p.Start, p.End):
		return fmt.Errorf("a phase from %v to %v", p.Start, p.End)
	}
	return checkReading(p.Reading, p.End.Sub(p.Start))
}

func checkReading(r emissions.Reading, took time.Duration) error {
	most, above := mostEnergy(took), emissions.Energy(0)
	if r.AboveIdle != nil {
		above = *r.AboveIdle
	}
	text := len(r.Method) + len(r.Reason)
	for _, w := range r.Warnings {
		text += len(w)
	}
	for _, z := range r.Zones {
		above = max(above, z.Energy)
		text += len(z.Name) + len(z.Note)
	}
	switch {
	case !slices.Contains(qualities, r.Quality):
		return fmt.Errorf("energy of quality %q", r.Quality)
	case max(r.Energy, r.Low, r.High, r.Modelled, above) > most:
		return fmt.Errorf("%.0f J in %.1f s", max(r.Energy, r.Low, r.High, r.Modelled, above).Joules(), took.Seconds())
	case r.ServerShare != nil && (*r.ServerShare < 0 || *r.ServerShare > 1):
		return fmt.Errorf("a share of %g of the busy time", *r.ServerShare)
	case len(r.Zones)+len(r.Gaps) > mostZones || text > mostText:
		return fmt.Errorf("%d zones, %d gaps and %d bytes beside a figure", len(r.Zones), len(r.Gaps), text)
	}
	return nil
}

// checkHello refuses what no machine says of itself.
func checkHello(h hello) error {
	text := len(h.Version) + len(h.Instance) + len(h.Energy) + len(h.Host.OS) + len(h.Host.Arch) + len(h.Host.CPUModel) + len(h.Host.Hostname)
	switch {
	case h.Host.CPUs < 0 || h.Host.CPUs > 1<<20:
		return fmt.Errorf("it has %d processors", h.Host.CPUs)
	case h.Host.MemoryGB < 0 || h.Host.MemoryGB > 1e9:
		return fmt.Errorf("it has %g GB of memory", h.Host.MemoryGB)
	case text > mostText || len(h.Retired) > mostRetired:
		return fmt.Errorf("it says %d bytes of itself and has given up %d models", text, len(h.Retired))
	case len(h.Models) > mostModels:
		return fmt.Errorf("it serves %d models, and at most %d are looked at", len(h.Models), mostModels)
	}
	return nil
}

// check refuses a question that no sound coordinator asks.
func (q question) check(run string, t task) error {
	for _, r := range []eval.Request{q.Request, q.Before} {
		if r.Logprobs < 0 || r.Logprobs > 1000 || r.Tokens < 0 || r.Tokens > 1<<20 {
			return fmt.Errorf("it wants %d alternatives of %d tokens", r.Logprobs, r.Tokens)
		}
	}
	switch {
	case t.Probe != (q.Probe != nil):
		return errors.New("it is no question of this kind")
	case q.Probe != nil && (len(q.Probe.Texts)+len(q.Probe.Choices) > mostForms || len(q.Probe.Reply) > mostCompared):
		return fmt.Errorf("it wants to know of %d texts and %d tokens", len(q.Probe.Texts)+len(q.Probe.Choices), len(q.Probe.Reply))
	case q.Run != run || q.Model != t.Model:
		return fmt.Errorf("it is of run %s, model %d", q.Run, q.Model)
	case q.Digest != t.Digest:
		return fmt.Errorf("it is for weights %s, not %s", short(q.Digest), short(t.Digest))
	case q.Key == "" || len(q.Key) > 4*mostName || strings.ContainsFunc(q.Key, func(r rune) bool { return !isToken(r) }):
		return fmt.Errorf("its key is %.80q", q.Key)
	}
	return nil
}

// check refuses options that no sound plan has, before a model server sees
// them.
func (t task) check(m eval.Model) error {
	g := t.Generation
	switch {
	case g.NumCtx < 1 || m.ContextLength > 0 && g.NumCtx > m.ContextLength:
		return fmt.Errorf("num_ctx is %d, and the model has %d positions", g.NumCtx, m.ContextLength)
	case g.NumPredict < 1 || g.NumPredict > 1<<20:
		return fmt.Errorf("num_predict is %d", g.NumPredict)
	case g.NumThread != nil && (*g.NumThread < 0 || *g.NumThread > 4096):
		return fmt.Errorf("num_thread is %d", *g.NumThread)
	case len(g.Stop) > 64:
		return fmt.Errorf("%d texts that end a reply", len(g.Stop))
	}
	return nil
}
