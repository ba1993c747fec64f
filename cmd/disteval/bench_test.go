//go:build linux

package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ollama/ollama/api"
)

// The benchmarks of the whole program compare it, in one run, with a bare loop
// of the same HTTP requests; docs/speed.md says how. They print the figures
// beside the targets. They fail only well beyond a target, since machines are
// busy and differ, also in how much of a program's file they keep in memory.
const (
	targetRatio       = 1.5  // wall time of a run, in bare loops, where the server answers at once
	targetRatioSlow   = 1.02 // the same where it takes 50 ms
	targetRatioBusy   = 1.05 // the same where it takes 10 ms and many requests are in flight
	targetMemoryMB    = 50   // at 2,000 queries
	targetMemoryBigMB = 200
	targetVersionMS   = 50
	targetGate        = 1 // wall time of the gate, and of its scoring alone, in those of score --pairs for the same texts

	slack     = 2   // times a target of time at which a benchmark fails
	slackSlow = 0.3 // above targetRatioSlow, of which nearly all is the server's
	slackBusy = 1   // above targetRatioBusy, of which the server's is the larger part
	slackGate = 4   // above targetGate: the gate also reads the record, judges and writes the page anew
	slackMB   = 40  // above a target of memory: pages of the program's file
)

// BenchmarkRunAtOnce: 2,000 queries, one after another, to a server that
// answers at once: asked, scored, stored, reported.
func BenchmarkRunAtOnce(b *testing.B) {
	f := comparison{queries: 2000, concurrency: 1, rounds: 5}.run(b)
	f.report(b)
	check(b, "bare loops", f.ratio, targetRatio*slack)
	check(b, "MB", f.memoryMB, targetMemoryMB+slackMB)
}

// BenchmarkRunSlow: the same with 50 ms to each answer.
func BenchmarkRunSlow(b *testing.B) {
	for _, c := range []comparison{
		{queries: 400, concurrency: 1, rounds: 1, delay: 50 * time.Millisecond},
		{queries: 2000, concurrency: 16, rounds: 3, delay: 50 * time.Millisecond},
	} {
		b.Run(fmt.Sprintf("concurrency=%d", c.concurrency), func(b *testing.B) {
			f := c.run(b)
			f.report(b)
			check(b, "bare loops", f.ratio, targetRatioSlow+slackSlow)
		})
	}
}

// BenchmarkRunBusy: 20,000 queries, 10 ms to each answer, 64 at a time.
func BenchmarkRunBusy(b *testing.B) {
	f := comparison{queries: 20_000, concurrency: 64, rounds: 3, delay: 10 * time.Millisecond}.run(b)
	f.report(b)
	check(b, "bare loops", f.ratio, targetRatioBusy+slackBusy)
}

// BenchmarkRunBig: 100,000 queries need little more memory than 10,000, and no
// more time for each.
func BenchmarkRunBig(b *testing.B) {
	program, server := build(b), startServer(b, 0)
	var small, big usage
	for b.Loop() {
		small = runOnce(b, program, server, workplace(b, 10_000, 1), 1)
		big = runOnce(b, program, server, workplace(b, 100_000, 1), 1)
	}
	growth := big.Wall.Seconds() / 10 / small.Wall.Seconds()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(small.MemoryMB, "MB-at-10k")
	b.ReportMetric(big.MemoryMB, "MB-at-100k")
	b.ReportMetric(small.Wall.Seconds()*100, "µs/query-at-10k")
	b.ReportMetric(big.Wall.Seconds()*10, "µs/query-at-100k")
	b.ReportMetric(growth, "growth")
	check(b, "MB", big.MemoryMB, targetMemoryBigMB+slackMB)
	check(b, "times as long for each query at 100,000 as at 10,000", growth, slack)
}

// BenchmarkVersion: the program starts at once, whatever it carries.
func BenchmarkVersion(b *testing.B) {
	program := build(b)
	best := math.Inf(1)
	for b.Loop() {
		for range 20 {
			best = min(best, measured(b, exec.Command(program, "version")).Wall.Seconds()*1000)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(best, "ms")
	check(b, "ms", best, targetVersionMS*slack)
}

func check(b *testing.B, unit string, got, most float64) {
	b.Helper()
	if got > most {
		b.Errorf("%.3g %s, more than %g", got, unit, most)
	}
}

// build builds the program as it is released.
func build(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "disteval")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// workplace is a folder with a models file of so many models and n made-up
// queries.
func workplace(b *testing.B, n, models int) string {
	b.Helper()
	dir := b.TempDir()
	var queries, file bytes.Buffer
	for i := range n {
		fmt.Fprintf(&queries, `{"id":"q%06d","prompt":%q,"keyword":%q}`+"\n", i, prompt(i), benchKeywords[i%len(benchKeywords)])
	}
	file.WriteString("version: 1\nqueries: queries.jsonl\nmodels:\n")
	for i := range models {
		fmt.Fprintf(&file, "  - {name: Bench %d, provider: ollama, model: bench}\n", i+1)
	}
	for name, text := range map[string][]byte{"queries.jsonl": queries.Bytes(), "models.yaml": file.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

var benchKeywords = []string{"Paris", "Harper Lee", "Mars", "Vatican City", "Leonardo da Vinci"}

func prompt(i int) string { return fmt.Sprintf("The capital of province number %d is", i) }

// runOnce runs the whole program in dir and checks that it has done its work.
func runOnce(b *testing.B, program, server, dir string, concurrency int) usage {
	b.Helper()
	cmd := exec.Command(program, "run", "--models", "models.yaml", "--concurrency", fmt.Sprint(concurrency))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "OLLAMA_HOST="+server)
	u := measured(b, cmd)
	runs, err := filepath.Glob(filepath.Join(dir, "runs", "*"))
	if err != nil || len(runs) != 1 {
		b.Fatalf("%d runs in %s, %v", len(runs), dir, err)
	}
	summary, err := os.ReadFile(filepath.Join(runs[0], "summary.json"))
	if err != nil || !bytes.Contains(summary, []byte(`"status": "complete"`)) {
		b.Fatalf("the run is not complete: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "runs")); err != nil {
		b.Fatal(err)
	}
	return u
}

// comparison is a run beside a bare loop of its requests.
type comparison struct {
	queries, concurrency, rounds int
	delay                        time.Duration // of the server
}

// figures are medians over the rounds, but for the memory, which is the most.
type figures struct {
	bare, run, bareCPU, runCPU float64 // s
	ratio                      float64 // of the wall times of one round
	memoryMB, ownMB            float64
}

// run measures in turn, so that what else the machine does meets both sides.
func (c comparison) run(b *testing.B) figures {
	b.Helper()
	program, server, dir := build(b), startServer(b, c.delay), workplace(b, c.queries, 1)
	var bare, run, bareCPU, runCPU, ratio []float64
	var f figures
	for b.Loop() {
		for range c.rounds {
			u := runOnce(b, program, server, dir, c.concurrency)
			wall, cpu := c.bareLoop(b, server)
			bare, run = append(bare, wall.Seconds()), append(run, u.Wall.Seconds())
			bareCPU, runCPU = append(bareCPU, cpu.Seconds()), append(runCPU, u.CPU.Seconds())
			ratio = append(ratio, u.Wall.Seconds()/wall.Seconds())
			f.memoryMB, f.ownMB = max(f.memoryMB, u.MemoryMB), max(f.ownMB, u.OwnMB)
		}
	}
	f.bare, f.run, f.bareCPU, f.runCPU, f.ratio = median(bare), median(run), median(bareCPU), median(runCPU), median(ratio)
	return f
}

func (f figures) report(b *testing.B) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(f.ratio, "run/bare")
	b.ReportMetric(f.bare*1000, "bare-ms")
	b.ReportMetric(f.run*1000, "run-ms")
	b.ReportMetric(f.bareCPU*1000, "bare-cpu-ms")
	b.ReportMetric(f.runCPU*1000, "run-cpu-ms")
	b.ReportMetric(f.memoryMB, "MB")
	b.ReportMetric(f.ownMB, "own-MB")
	b.Logf("%.3f bare loops: %.0f ms beside %.0f ms; processor %.0f ms beside %.0f ms; %.1f MB, of which the program's own %.1f", // metrics of a failed one are not printed
		f.ratio, f.run*1000, f.bare*1000, f.runCPU*1000, f.bareCPU*1000, f.memoryMB, f.ownMB)
}

func median(xs []float64) float64 {
	xs = slices.Sorted(slices.Values(xs))
	return (xs[(len(xs)-1)/2] + xs[len(xs)/2]) / 2
}

// bareLoop asks the same questions with the standard client, decodes every
// line of the answers and keeps nothing.
func (c comparison) bareLoop(b *testing.B, server string) (wall, cpu time.Duration) {
	b.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: c.concurrency}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	before, start := ownCPU(b), time.Now()
	var next atomic.Int64
	var workers sync.WaitGroup
	for range c.concurrency {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(c.queries); i = next.Add(1) - 1 {
				if err := ask(client, server, prompt(int(i))); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
	return time.Since(start), ownCPU(b) - before
}

func ask(client *http.Client, server, prompt string) error {
	body, err := json.Marshal(api.GenerateRequest{Model: "bench", Prompt: prompt, Raw: true,
		KeepAlive: &api.Duration{Duration: 30 * time.Minute},
		Options:   map[string]any{"temperature": 0.0, "repeat_penalty": 1.0, "seed": 42, "num_predict": 64, "num_ctx": 128}})
	if err != nil {
		return err
	}
	resp, err := client.Post(server+"/api/generate", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		var piece api.GenerateResponse
		if err := json.Unmarshal(line, &piece); err != nil {
			return err
		}
	}
}

// ownCPU is the processor time of this process so far.
func ownCPU(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
