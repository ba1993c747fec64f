// Package eval asks models and keeps what they answered.
//
// Policy: data moves one way, and every stage can be run again from the one
// before it. A reply is stored raw before it is scored. A failure is a third
// outcome beside right and wrong: it is counted and shown, and never scores 0.
// No running total is ever stored.
//
// # The pipeline
//
// The types of this package are what passes from stage to stage:
//
//	models.yaml -> Plan -> Job -> Reply -> Score -> report and judgement
//
// Package spec reads a models file into a [Plan]: the queries, the models, and
// every option with its default written out. A [Provider] then resolves the
// models: it adds their digests and what their server can do, and [Plan.Check]
// refuses what the plan needs and a model lacks. From there on the plan does not
// change. Its [Plan.Hash] covers all that decides an answer, so that a run is
// resumed with the same plan or not at all.
//
// [Plan.Jobs] lists the questions to one model, a [Job] for each sample of each
// query. [Plan.Stages] says which models are asked one after the other and which
// side by side. A [Schedule] hands out the jobs of one model that have no outcome
// yet and gives the model up after too many failures in a row. A [Worker] takes
// them one by one, asks the model's [Generator], repeats what can pass by itself,
// and reads the meter. A Worker knows neither plan nor store, so that it can work
// on another machine. A [Runner] joins these and puts each [Reply] into a [Store]
// as it comes. What a model knows and does not say is asked afterwards, in
// probes: see [Prober] and [Probe].
//
// A stored run is read through the interface [Run]. Package scoring turns its
// replies into scores, stored by the metric's name; package reports computes
// everything else, each time anew, from what is stored.
//
// # The rooms
//
// This package has no technology in it. Its children do one thing each: spec
// reads models files; ollama, openai and builtin are providers; hub gets weights;
// runstore is a Store in SQLite; fleet has workers on other machines answer;
// scoring scores. They do not import each other. Package session puts them
// together; the example below follows three queries through it.
package eval

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/likelihood"
	"github.com/disteval/disteval/queries"
)

// JobID names one sample of one query to one model.
type JobID struct {
	Model  string // Model.Name
	Query  string // Query.ID
	Sample int    // from 0
}

func (id JobID) String() string {
	if id.Sample == 0 {
		return id.Model + " " + id.Query
	}
	return fmt.Sprintf("%s %s sample %d", id.Model, id.Query, id.Sample)
}

// Request is what a provider is asked. It holds all that differs between the
// questions of one model; everything else is the Model's Generation.
type Request struct {
	Prompt   string // as sent, after template and examples
	System   string // chat only: the system message before the prompt; empty: none
	Seed     int    // of the draws; without effect at temperature 0
	Logprobs int    // most probable alternatives wanted with each generated token; 0: none
	Tokens   int    // how many of the first generated tokens they are wanted with; more may come
}

// Job is one question to one model. It can cross a wire whole.
type Job struct {
	ID      JobID
	Request Request
}

// Reply is the outcome of one job: an answer, or a failure.
type Reply struct {
	JobID
	Text       string // raw; untrusted
	Reasoning  string // what the provider keeps apart from the answer: never scored; untrusted
	DoneReason string // stop, length, or what else the provider says
	Usage      Usage
	Timing     Timing
	Energy     *emissions.Energy // µJ of the whole machine from Start to End; nil where it cannot be told apart or is not known
	Failure    *Failure          // nil for an answer
	Tokens     []Token           // generated, with their log-probabilities; nil where none were asked for
	Host       string            // that answered, by name; empty: the machine of the run
	ReusedFrom string            // ID of the run that the reply is taken from; empty: asked in this run
}

// Token is one generated token.
type Token struct {
	ID      int           `json:"id"` // in the model's vocabulary; -1 where the provider does not say
	Text    string        `json:"text"`
	Logprob float64       `json:"logprob"`       // natural, at most 0
	Top     []Alternative `json:"top,omitempty"` // most probable first
}

// Alternative is a token that could have come in a place.
type Alternative = likelihood.Alternative

// Usage counts tokens as the provider counts them; nil where it gives no count.
type Usage struct {
	PromptTokens     *int `json:"prompt"`
	CompletionTokens *int `json:"completion"`
}

// MostTokens is the largest token count that a provider is believed.
const MostTokens = 1 << 40

// Check refuses counts that cannot be: below 0 or above MostTokens.
func (u Usage) Check() error {
	for _, c := range []struct {
		name string
		n    *int
	}{{"prompt", u.PromptTokens}, {"completion", u.CompletionTokens}} {
		if c.n != nil && (*c.n < 0 || *c.n > MostTokens) {
			return fmt.Errorf("the server counts %d %s tokens, which cannot be", *c.n, c.name)
		}
	}
	return nil
}

// Timing is when a reply was asked for and came. The last three are the
// provider's own figures and 0 where it gives none.
type Timing struct {
	Start      time.Time     // the question was sent (the last attempt's)
	End        time.Time     // the last byte came
	Attempts   int           // 1 without a retry
	Load       time.Duration // provider: loading the model
	PromptEval time.Duration // provider: reading the prompt
	Eval       time.Duration // provider: generating
}

// Latency is the wall time from question to last byte.
func (t Timing) Latency() time.Duration { return t.End.Sub(t.Start) }

// FailureKind classes failures.
type FailureKind string

const (
	FailRefused   FailureKind = "refused"    // no connection, or it broke
	FailTimeout   FailureKind = "timeout"    // no answer in time
	FailStatus    FailureKind = "status"     // the server answered with an error
	FailTruncated FailureKind = "truncated"  // the answer ended before it was done
	FailMalformed FailureKind = "malformed"  // the answer is not what the protocol says
	FailTooLong   FailureKind = "too_long"   // the answer passed the bound
	FailReplaced  FailureKind = "replaced"   // it may be another model's: the model was exchanged
	FailGenerator FailureKind = "generation" // the in-process model could not go on
	FailLost      FailureKind = "lost"       // several workers took the question and none brought an outcome
)

// Failure says why there is no answer. It is an error.
type Failure struct {
	Kind    FailureKind   `json:"kind"`
	Message string        `json:"message"` // may hold text from a server: untrusted
	Retry   bool          `json:"retry"`   // whether it can pass by itself
	After   time.Duration `json:"after"`   // the server asks to wait this long before the next attempt; 0: it does not say
}

func (f *Failure) Error() string { return fmt.Sprintf("%s: %s", f.Kind, f.Message) }

// PhaseName is a part of a model's turn.
type PhaseName string

const (
	PhaseLoad   PhaseName = "load"
	PhaseWarmup PhaseName = "warmup"
	PhaseAnswer PhaseName = "answer"
	PhaseProbe  PhaseName = "probe" // asking for the probabilities of texts
	PhaseUnload PhaseName = "unload"
)

// Phase is one part of one model's turn in one process: a resumed run has
// several of the same name. The answer and probe phases are stored again as they
// grow, so that a killed process leaves the time and energy of what it had stored.
type Phase struct {
	Model   string
	Host    string // as Reply.Host
	Process int    // 1 for the first process of the run, 2 for the first resumption, ...
	Name    PhaseName
	Start   time.Time
	End     time.Time
	Reading emissions.Reading
}

// Host is the machine that asked. Fingerprint tells whether times and energy
// of two runs may be compared.
type Host struct {
	OS       string  `json:"os"`
	Arch     string  `json:"arch"`
	CPUModel string  `json:"cpu_model"`
	CPUs     int     `json:"cpus"` // logical
	MemoryGB float64 `json:"memory_gb"`
	Hostname string  `json:"hostname"`
}

// Fingerprint names the kind of machine: OS, architecture, CPU model, CPUs.
func (h Host) Fingerprint() string {
	return fmt.Sprintf("%s/%s %s x%d", h.OS, h.Arch, h.CPUModel, h.CPUs)
}

// ScoringRecord says which scoring a run's scores come from.
type ScoringRecord struct {
	ID      int // 1 for the run's own, higher for later scorings
	Created time.Time
	Scoring Scoring
	Floors  map[string]float64 // by Model.Name: mean cosine of its replies with other queries' references; absent where unknown
}

// Review is a person's judgement of one reply.
type Review struct {
	JobID
	Reviewer string
	Verdict  string // right, wrong or unsure
	Comment  string
	Imported time.Time
}

// RunRecord is all that a run's store holds but for replies and scores.
type RunRecord struct {
	ID          string
	Dir         string
	ToolVersion string
	Created     time.Time
	Plan        Plan
	PlanHash    string
	Host        Host              // that began it
	MovedTo     []string          // fingerprints of other machines that it went on on; empty: none
	Reused      map[string]Reused // by Model.Name: all of its replies are those of an earlier run, with their times and energy
	Phases      []Phase
	Power       []TurnPower       // by model and process; empty in a record from before it was kept
	GaveUp      map[string]string // by Model.Name: why the model was stopped
	Unprobed    map[string]string // by Model.Name: why it says nothing of any text, so that no probe of it may be stored
	Scoring     *ScoringRecord    // nil before the first scoring
	Warnings    []string          // of the run itself, such as an overlap of two metered runs
	Hosts       map[string]Host   // by Reply.Host: the workers that answered; empty where the machine of the run did
	Audits      []Reply           // answers of a second host to questions that have one, in the plan's order
}

// ScoredReply is a reply with what is derived from it.
type ScoredReply struct {
	Reply  Reply
	Query  queries.Query
	Scores []metrics.Score // every metric of metrics.All, in its order; all Unscored for a failure
	Flags  []string        // such as negated: see scoring
	Probe  *Probe          // of this query, beside its first sample; nil where there is none
}

// Run is a stored run to read from. Replies come ordered by model and query,
// as the plan orders them; a job without an outcome is left out.
type Run interface {
	Record() RunRecord
	Replies(ctx context.Context) iter.Seq2[ScoredReply, error]
	Reviews(ctx context.Context) ([]Review, error)
}

// Generator is one model that answers.
type Generator interface {
	// Load makes the model ready; the time it takes is stated apart.
	Load(ctx context.Context) error
	// Warmup makes the model answer r with one token, unrecorded.
	Warmup(ctx context.Context, r Request) error
	// Generate asks for one completion. An error that is a *Failure is the
	// job's outcome; ctx.Err() means interrupted, which is no outcome.
	Generate(ctx context.Context, r Request) (Reply, error)
	// Unload frees what Load took.
	Unload(ctx context.Context) error
}

// Embedder turns texts into vectors, one each, in order.
type Embedder interface {
	Name() string
	Embed(ctx context.Context, texts []string) ([][]float32, error)
}

// Store is the record of one run while it is written. Its methods may be
// called from several goroutines; one goroutine of its own does the writing.
type Store interface {
	// Done tells which jobs have an outcome already.
	Done(ctx context.Context) (map[JobID]bool, error)
	// Put queues an outcome; it counts only once Flush has returned nil.
	Put(ctx context.Context, r Reply) error
	// PutPhase queues a phase, in place of the same phase of the same process.
	PutPhase(ctx context.Context, p Phase) error
	// PutPower queues the power of a model's turn, in place of that of the same process.
	PutPower(ctx context.Context, p TurnPower) error
	// GiveUp queues why a model was stopped; "" takes an earlier one back.
	GiveUp(ctx context.Context, model, reason string) error
	// Tokens returns those that a reply was stored with; ok is false where there
	// is no reply yet or a failure in its place.
	Tokens(ctx context.Context, id JobID) (tokens []Token, ok bool, err error)
	// Probed tells which probes have an outcome that is no failure: true where it
	// holds a comparison with the reference, or why there can be none.
	Probed(ctx context.Context) (map[ProbeID]bool, error)
	// PutProbe queues a probe's outcome. That of a model that is unable stands for
	// all of its queries that have no other.
	PutProbe(ctx context.Context, p Probe) error
	// Flush waits until everything queued is on disk.
	Flush(ctx context.Context) error
}
