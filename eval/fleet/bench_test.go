//go:build unix

package fleet_test

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/fleet"
	"github.com/disteval/disteval/eval/runstore"
)

// Targets of docs/fleet.md, as ratios within one run. Every line of output says
// whether one is met; a benchmark fails well beyond it only, since machines are
// busy and differ.
const (
	targetScaling = 0.95 // throughput of N workers, in N times that of one
	targetAlone   = 1.05 // time through the queue, in times of the same run on one machine
	targetRate    = 1000 // questions a second through the queue
	targetMemory  = 250  // MB of the process that gives them out, server included

	slackTime = 1.3
)

const benchDelay = 50 * time.Millisecond

// through asks n questions of one model over the server in this process, of
// workers in processes of their own, and returns how long it took and the
// coordinator's record.
func through(b *testing.B, workers, n int, delay time.Duration) time.Duration {
	b.Helper()
	s, c := own(b, fleet.Options{AckWait: fleet.DefaultAckWait, Say: func(string) {}})
	for i := range workers {
		launch(b, part{Worker: &workerPart{URL: s.WorkerArgs()[2], Name: fmt.Sprintf("w%d", i), Delay: delay}})
	}
	// Wait until all are there.
	for c.Workers() < workers {
		time.Sleep(50 * time.Millisecond)
	}
	p := resolve(b, c, planOf(n, "teacher"))
	dir := filepath.Join(b.TempDir(), "run")
	store, err := runstore.Create(b.Context(), dir, eval.RunRecord{ID: "run", Plan: p, PlanHash: p.Hash(), Created: time.Now()})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	if err := s.Keep(dir); err != nil {
		b.Fatal(err)
	}
	if err := c.Ask(b.Context(), b.Context(), fleet.Run{ID: "run", Plan: p, Store: store, Process: 1, Observer: quiet{}}); err != nil {
		b.Fatal(err)
	}
	took := answering(b, store, n)
	if err := store.Close(); err != nil {
		b.Fatal(err)
	}
	return took
}

// answering is the wall time from the first question to the last answer.
func answering(b *testing.B, store *runstore.Store, n int) time.Duration {
	b.Helper()
	var from, to time.Time
	count := 0
	for r, err := range store.Replies(b.Context()) {
		if err != nil || r.Reply.Failure != nil {
			b.Fatalf("%v %v", err, r.Reply.Failure)
		}
		count++
		if t := r.Reply.Timing; from.IsZero() || t.Start.Before(from) {
			from = t.Start
		}
		if t := r.Reply.Timing; t.End.After(to) {
			to = t.End
		}
	}
	if count != n {
		b.Fatalf("%d replies, want %d", count, n)
	}
	return to.Sub(from)
}

// alone asks the same in this process.
func alone(b *testing.B, n int, delay time.Duration) time.Duration {
	b.Helper()
	p := planOf(n, "teacher")
	p.Models[0].Digest = digestOf("teacher")
	store, err := runstore.Create(b.Context(), filepath.Join(b.TempDir(), "run"), eval.RunRecord{ID: "run", Plan: p, PlanHash: p.Hash(), Created: time.Now()})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	r := eval.Runner{Plan: p, Store: store, Process: 1, Now: time.Now, Backoff: eval.DefaultBackoff, Observer: quiet{},
		Meter: func(eval.Model) emissions.Meter { return steady{} },
		Open:  func(m eval.Model) (eval.Generator, error) { return &echo{model: m.Model, delay: delay}, nil }}
	if err := r.Run(b.Context(), context.WithoutCancel(b.Context())); err != nil {
		b.Fatal(err)
	}
	return answering(b, store, n)
}

// BenchmarkWorkers: questions of 50 ms, by 1 to 16 workers and alone, 250 for
// each worker, at least 500 and at most 2,000: about 100 s, of which 25 s are
// the run alone. What the queue of this machine cannot carry, no worker can
// bring.
func BenchmarkWorkers(b *testing.B) {
	of := func(workers int) int { return min(2000, 250*max(2, workers)) }
	if testing.Short() {
		of = func(workers int) int { return 50 * max(2, workers) }
	}
	for b.Loop() {
		most := bare(b, 2000)
		b.ReportMetric(most, "bare/s")
		base := alone(b, of(1), benchDelay)
		one := through(b, 1, of(1), benchDelay)
		ratio := one.Seconds() / base.Seconds()
		b.Logf("1 worker: %.3f times the time of a run alone; at most %.2f: %s", ratio, targetAlone, verdict(ratio <= targetAlone))
		b.ReportMetric(ratio, "one/alone")
		if ratio > targetAlone*slackTime {
			b.Errorf("one worker takes %.3f times as long as a run alone", ratio)
		}
		for _, workers := range []int{2, 4, 8, 16} {
			n := of(workers)
			rate := float64(n) / through(b, workers, n, benchDelay).Seconds()
			scaling := rate / (float64(of(1)) / one.Seconds()) / float64(workers)
			b.Logf("%d workers: %.3f times %d times the throughput of one, %.0f questions a second; at least %.2f: %s",
				workers, scaling, workers, rate, targetScaling, verdict(scaling >= targetScaling))
			b.ReportMetric(scaling, fmt.Sprintf("scaling-%d", workers))
			if scaling < targetScaling/slackTime && rate < most/slackTime {
				b.Errorf("%d workers have %.3f times %d times the throughput of one", workers, scaling, workers)
			}
		}
	}
	b.ReportMetric(0, "ns/op")
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "MISSED"
}

// bare is the least that the queue can do in: n messages published, taken by
// two lanes one at a time, answered by a message each and acknowledged twice,
// on a server that syncs every write. It returns messages a second.
func bare(b *testing.B, n int) float64 {
	b.Helper()
	s := listen(b)
	if err := s.Keep(b.TempDir()); err != nil {
		b.Fatal(err)
	}
	nc, err := s.Connect()
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"q", "r"} {
		if _, err := js.CreateStream(b.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{name + ".>"}, Retention: jetstream.WorkQueuePolicy}); err != nil {
			b.Fatal(err)
		}
	}
	cons, err := js.CreateConsumer(b.Context(), "q", jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	var lanes errgroup.Group
	lanes.Go(func() error {
		for i := range n {
			if _, err := js.PublishMsgAsync(&nats.Msg{Subject: "q.x", Data: make([]byte, 400)}, jetstream.WithMsgID(fmt.Sprint(i)), jetstream.WithStallWait(time.Minute)); err != nil {
				return err
			}
		}
		return nil
	})
	for range 2 {
		lanes.Go(func() error {
			for range n / 2 {
				m, err := cons.Next()
				if err == nil {
					_, err = js.Publish(b.Context(), "r.x", make([]byte, 600))
				}
				if err == nil {
					err = m.DoubleAck(b.Context())
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := lanes.Wait(); err != nil {
		b.Fatal(err)
	}
	return float64(n) / time.Since(start).Seconds()
}

// BenchmarkQueue: 100,000 questions that are answered at once, by two workers,
// beside the least that the queue can do it in: less than three minutes where
// the target is met.
func BenchmarkQueue(b *testing.B) {
	many := 100_000
	if testing.Short() {
		many = 10_000
	}
	for b.Loop() {
		least := bare(b, many/10)
		small := through(b, 2, many/10, 0).Seconds() / float64(many/10)
		big := through(b, 2, many, 0).Seconds() / float64(many)
		again := bare(b, many/10)
		b.ReportMetric((least+again)/2, "bare/s")
		b.ReportMetric(1/small, "questions/s-small")
		b.ReportMetric(1/big, "questions/s")
		b.ReportMetric(2/big/(least+again), "of-bare")
		b.ReportMetric(big/small, "growth")
		b.Logf("%.0f questions a second, %.2f times what the queue alone does; at least %d: %s", 1/big, 2/big/(least+again), targetRate, verdict(1/big >= targetRate))
		b.Logf("%.2f times as long for each of %d questions as for each of %d; at most 1.1: %s", big/small, many, many/10, verdict(big <= 1.1*small))
		if rate := 1 / big; rate < targetRate/slackTime && rate < max(least, again)/slackTime {
			b.Errorf("%.0f questions a second, where the queue alone has %.0f and %.0f", rate, least, again)
		}
		if big > 2*small {
			b.Errorf("%.2f times as long for each question at %d as at %d", big/small, many, many/10)
		}
	}
	var self syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &self); err != nil {
		b.Fatal(err)
	}
	memory := float64(self.Maxrss) / 1024
	b.Logf("%.0f MB for coordinator and server; at most %d: %s", memory, targetMemory, verdict(memory <= targetMemory))
	b.ReportMetric(memory, "MB")
	b.ReportMetric(0, "ns/op")
	if memory > targetMemory {
		b.Errorf("%.0f MB", memory)
	}
}
