//go:build unix

package fleet_test

import (
	"context"
	"fmt"
	"os"
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

// Targets of docs/fleet.md, as ratios within one run. Times fail well beyond
// them only, since machines are busy and differ.
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
	if info, err := os.Stat(filepath.Join(dir, runstore.FileName)); err == nil {
		b.Logf("%d bytes of record for each of %d replies", info.Size()/int64(n), n)
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

// BenchmarkWorkers: 2,000 questions of 50 ms, by 1 to 16 workers and alone.
// What the queue of this machine cannot carry, no worker can bring.
func BenchmarkWorkers(b *testing.B) {
	n := 2000
	if testing.Short() {
		n = 400
	}
	for b.Loop() {
		most := bare(b, n)
		b.ReportMetric(most, "bare/s")
		base := alone(b, n, benchDelay)
		one := through(b, 1, n, benchDelay)
		ratio := one.Seconds() / base.Seconds()
		b.Logf("1 worker: %.3f times the time of a run alone", ratio)
		b.ReportMetric(ratio, "one/alone")
		if ratio > targetAlone*slackTime {
			b.Errorf("one worker takes %.3f times as long as a run alone", ratio)
		}
		for _, workers := range []int{2, 4, 8, 16} {
			took := through(b, workers, n, benchDelay)
			scaling := one.Seconds() / took.Seconds() / float64(workers)
			b.Logf("%d workers: %.3f times %[1]d times the throughput of one, %.0f questions a second", workers, scaling, float64(n)/took.Seconds())
			b.ReportMetric(scaling, fmt.Sprintf("scaling-%d", workers))
			if scaling < targetScaling/slackTime && float64(n)/took.Seconds() < most/slackTime {
				b.Errorf("%d workers have %.3f times %[1]d times the throughput of one", workers, scaling)
			}
		}
	}
	b.ReportMetric(0, "ns/op")
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
// beside the least that the queue can do it in.
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
	b.ReportMetric(memory, "MB")
	b.ReportMetric(0, "ns/op")
	if memory > targetMemory {
		b.Errorf("%.0f MB", memory)
	}
}
