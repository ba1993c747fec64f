// Package fleet asks a run's questions on many machines, over NATS JetStream:
// a Coordinator gives them out and stores what comes back, a Worker beside
// every model server answers.
//
// Policy: the queue is JetStream's, none of it is ours. A question lies in a
// work-queue stream until its reply lies in another, and the reply until the
// run's record has it on disk; so whatever dies, a question is asked again or
// its reply is still there. The record knows every job by its key, and the
// first outcome counts: what comes late or twice is dropped. A question names
// weights by their digest, never an address or a path: a worker runs only what
// it was started to serve, and takes nothing but prompts, texts and options from
// the wire. Everything that crosses the wire has a bound on both sides and is held
// to it before it is believed.
package fleet

import (
	"fmt"
	"strings"
	"time"
)

// protocol is the version of the messages; machines of different versions
// refuse each other.
const protocol = 1

// Bounds and periods that both sides know.
const (
	// MaxDeliveries is how many workers a question is given to before it
	// counts as a failure.
	MaxDeliveries = 3
	// DefaultAckWait is how long a question without a sign of life from its
	// worker waits before another one gets it.
	DefaultAckWait = 15 * time.Second

	helloEvery   = 2 * time.Second  // a worker says what it has
	absentAfter  = 10 * time.Second // without a hello a worker has gone, without orders the coordinator
	window       = 4000             // questions of one model in the queue
	mostModels   = 1000             // models of one worker
	mostWorkers  = 10_000
	mostRetired  = 10_000
	mostTurns    = 10_000   // of one worker in one run
	mostRuns     = 1000     // that a worker listens to
	mostTold     = 10_000   // different things that are said once
	headroom     = 64 << 10 // bytes of a message that are not prompt or reply
	audience     = "disteval.who"
	helloPrefix  = "disteval.hello."
	repliesTaker = "store" // the consumer of the replies; workers are denied it by name
)

// The subjects of a run. Workers publish under their own name only, so that an
// account can hold them to it.
func questionSubject(run string, model int) string {
	return fmt.Sprintf("disteval.q.%s.%d.any", run, model)
}
func auditSubject(run string, model int, host string) string {
	return fmt.Sprintf("disteval.q.%s.%d.on.%s", run, model, host)
}
func replySubject(run, host string) string { return fmt.Sprintf("disteval.r.%s.%s", run, host) }

// The streams of a run and their consumers, whose filters do not overlap.
func questionStream(run string) string { return "disteval-q-" + run }
func replyStream(run string) string    { return "disteval-r-" + run }
func taker(model int) string           { return fmt.Sprintf("m%d", model) }
func auditTaker(model int, host string) string {
	return fmt.Sprintf("a%d-%s", model, host)
}

// HostName makes a worker's name of a machine's: the part before the first
// full stop, every character that no subject can hold replaced.
func HostName(hostname string) string {
	name, _, _ := strings.Cut(hostname, ".")
	name = strings.Map(func(r rune) rune {
		if isToken(r) {
			return r
		}
		return '-'
	}, name)
	return name[:min(len(name), mostName)]
}

// mostName is the longest name of a worker or a run, in bytes.
const mostName = 64

func isToken(r rune) bool {
	return r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// CheckName refuses what cannot be the name of a worker.
func CheckName(name string) error {
	if name == "" || len(name) > mostName || strings.ContainsFunc(name, func(r rune) bool { return !isToken(r) }) {
		return fmt.Errorf("%q is not a name for a worker: it must have 1 to %d letters, digits, - or _", name, mostName)
	}
	return nil
}
