//go:build linux

package main_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/eval/scoring"
)

// What the commands on a large run may take; docs/speed.md explains.
const (
	targetLargeMB   = 300 // peak of memory
	targetLargePage = 20  // MB of report.html
	targetGrowth    = 1.3 // processor time a reply, in times that of a run a tenth as large
)

// largeSizes are the replies of the runs that BenchmarkLarge measures:
// 10,000 and 100,000, and with DISTEVAL_BENCH_LARGE=1 1,000,000 as well.
func largeSizes(b *testing.B) []int {
	if os.Getenv("DISTEVAL_BENCH_LARGE") == "" {
		b.Log("set DISTEVAL_BENCH_LARGE=1 for 1,000,000 replies as well")
		return []int{10_000, 100_000}
	}
	return []int{10_000, 100_000, 1_000_000}
}

// BenchmarkLarge measures what there is to do with a stored run, each command
// as a process of its own: its time, its peak of memory, and how its processor
// time for each reply compares with that on a run a tenth as large.
func BenchmarkLarge(b *testing.B) {
	program := build(b)
	commands := largeCommands()
	before := make(map[string]float64) // µs of processors a reply
	for b.Loop() {
		for _, n := range largeSizes(b) {
			dir := writeLargeRun(b, n/largeModels)
			for _, c := range commands {
				measureLarge(b, program, dir, n, c, before)
			}
		}
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkLargeRun measures the asking of such runs too, on a server that
// answers at once.
func BenchmarkLargeRun(b *testing.B) {
	program, server := build(b), startServer(b, 0)
	before := 0.0
	for b.Loop() {
		for _, n := range largeSizes(b) {
			u := runOnce(b, program, server, workplace(b, n/largeModels, largeModels), 16)
			each := u.CPU.Seconds() * 1e6 / float64(n)
			b.Logf("%9d replies  run %8.1f s, of processors %8.1f s, %7.1f µs a reply  %5.0f MB%s", n, u.Wall.Seconds(), u.CPU.Seconds(), each, u.MemoryMB, growth(each, before))
			if n > 100_000 {
				check(b, "times the processor time a reply", each/before, targetGrowth*slack)
			}
			before = each
			check(b, "MB of "+strconv.Itoa(n), u.MemoryMB, targetLargeMB)
		}
	}
	b.ReportMetric(0, "ns/op")
}

// growth tells how a time compares with the one before it; empty where that was
// none.
func growth(now, before float64) string {
	if before == 0 {
		return ""
	}
	return fmt.Sprintf("  growth %.2f", now/before)
}

// BenchmarkGate holds the time of the gate, which scores a run's replies again,
// beside that of scoring the same texts as pairs; and that of the scoring alone,
// without all else that a gate does.
func BenchmarkGate(b *testing.B) {
	const n = 100_000
	program, dir := build(b), writeLargeRun(b, n/largeModels)
	out := b.TempDir()
	expected, pairs := filepath.Join(out, "expected.yaml"), filepath.Join(out, "pairs.jsonl")
	measured(b, exec.Command(program, "score", dir))
	measured(b, exec.Command(program, "gate", dir, "--expected", expected, "--bless"))
	measured(b, exec.Command(program, "report", dir, "--out", out, "--format", "jsonl"))
	writePairs(b, pairs, filepath.Join(out, "replies.jsonl"))
	var ratio, rescoring, rescoringCPU []float64
	for b.Loop() {
		for range 3 {
			gate := measured(b, exec.Command(program, "gate", dir, "--expected", expected))
			scored := measured(b, exec.Command(program, "score", "--pairs", pairs))
			b.Logf("%d replies: gate %.1f s, %.1f s of processors; the same texts as pairs %.1f s, %.1f s", n,
				gate.Wall.Seconds(), gate.CPU.Seconds(), scored.Wall.Seconds(), scored.CPU.Seconds())
			ratio = append(ratio, gate.Wall.Seconds()/scored.Wall.Seconds())
			wall, cpu := scoringAgain(b, dir, pairs)
			rescoring, rescoringCPU = append(rescoring, wall), append(rescoringCPU, cpu)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(ratio), "gate/pairs")
	b.ReportMetric(median(rescoring), "rescoring/pairs")
	b.ReportMetric(median(rescoringCPU), "rescoring-cpu/pairs-cpu")
	check(b, "times as long as score --pairs", median(ratio), targetGate+slackGate)
	check(b, "times as long to score again as score --pairs", median(rescoring), targetGate)
}

// scoringAgain is how long a stored run takes longer to go over where its
// replies are scored again on the way, as the gate does, in times of scoring the
// same texts as pairs; all of it in this process. The processor time is told
// too, since going over a run leaves a part of a processor idle that scoring uses.
func scoringAgain(b *testing.B, dir, pairs string) (wall, cpu float64) {
	b.Helper()
	stored, err := runstore.Read(b.Context(), dir)
	if err != nil {
		b.Fatal(err)
	}
	defer stored.Close()
	timed := func(what func() error) (wall, cpu float64) {
		runtime.GC()
		before, start := ownCPU(b), time.Now()
		if err := what(); err != nil {
			b.Fatal(err)
		}
		return time.Since(start).Seconds(), (ownCPU(b) - before).Seconds()
	}
	over := func(run eval.Run) func() error {
		return func() (failed error) {
			for _, err := range run.Replies(b.Context()) {
				failed = errors.Join(failed, err)
			}
			return failed
		}
	}
	read, readCPU := timed(over(stored))
	again, againCPU := timed(over(scoring.NewCurrent(stored)))
	asPairs, asPairsCPU := timed(func() error {
		in, err := os.Open(pairs)
		if err != nil {
			return err
		}
		defer in.Close()
		return scoring.Pairs(b.Context(), in, io.Discard, scoring.Config{})
	})
	b.Logf("in this process: reading %.2f s, %.2f s of processors; reading and scoring again %.2f s, %.2f s; scoring as pairs %.2f s, %.2f s",
		read, readCPU, again, againCPU, asPairs, asPairsCPU)
	return (again - read) / asPairs, (againCPU - readCPU) / asPairsCPU
}

// writePairs makes what score --pairs reads out of a run's replies.
func writePairs(b *testing.B, path, replies string) {
	b.Helper()
	in, err := os.Open(replies)
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	lines, pairs := bufio.NewScanner(in), bufio.NewWriter(out)
	encode := json.NewEncoder(pairs)
	for lines.Scan() {
		var r struct{ Prompt, Keyword, Text string }
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			b.Fatal(err)
		}
		if err := encode.Encode(map[string]string{"reference": r.Keyword, "keyword": r.Keyword, "prompt": r.Prompt, "reply": r.Text}); err != nil {
			b.Fatal(err)
		}
	}
	if err := errors.Join(lines.Err(), pairs.Flush()); err != nil {
		b.Fatal(err)
	}
}

// writeLargeRun has a child write a run and returns its folder.
func writeLargeRun(b *testing.B, n int) string {
	b.Helper()
	dir := filepath.Join(b.TempDir(), fmt.Sprintf("run-%d", n))
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", largeRunVariable, n, dir))
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("write a run of %d queries: %v\n%s", n, err, out)
	}
	return dir
}

// largeCommand is one thing to do with a stored run.
type largeCommand struct {
	name string
	args []string // RUN and OUT stand for the run's folder and another
	file string   // that it leaves in OUT and whose size is told
}

func largeCommands() []largeCommand {
	list := []largeCommand{
		{name: "score", args: []string{"score", "RUN"}},
		{name: "bless", args: []string{"gate", "RUN", "--expected", "OUT/expected.yaml", "--bless"}, file: "expected.yaml"},
		{name: "gate", args: []string{"gate", "RUN", "--expected", "OUT/expected.yaml"}},
	}
	for _, f := range []struct{ format, file string }{{"html", "report.html"}, {"xlsx", "report.xlsx"}, {"json", "summary.json"},
		{"md", "summary.md"}, {"csv", "replies.csv"}, {"jsonl", "replies.jsonl"}, {"junit", "junit-replies.xml"}} {
		list = append(list, largeCommand{name: "report " + f.format, args: []string{"report", "RUN", "--out", "OUT", "--format", f.format}, file: f.file})
	}
	return list
}

func measureLarge(b *testing.B, program, dir string, n int, c largeCommand, before map[string]float64) {
	b.Helper()
	out := filepath.Join(filepath.Dir(dir), "out")
	if err := os.MkdirAll(out, 0o755); err != nil {
		b.Fatal(err)
	}
	args := make([]string, len(c.args))
	for i, a := range c.args {
		args[i] = strings.NewReplacer("RUN", dir, "OUT", out).Replace(a)
	}
	u := measured(b, exec.Command(program, args...))
	each := u.CPU.Seconds() * 1e6 / float64(n)
	line := fmt.Sprintf("%9d replies  %-12s %8.1f s, of processors %8.1f s, %7.1f µs a reply  %5.0f MB", n, c.name, u.Wall.Seconds(), u.CPU.Seconds(), each, u.MemoryMB)
	line += growth(each, before[c.name])
	size := 0.0
	if info, err := os.Stat(filepath.Join(out, c.file)); c.file != "" && err == nil {
		size = float64(info.Size()) / 1e6
		line += fmt.Sprintf("  %s %.1f MB", c.file, size)
	}
	b.Log(line)
	if was, ok := before[c.name]; ok && n > 100_000 { // below, starting the program counts
		check(b, "times the processor time a reply in "+c.name, each/was, targetGrowth*slack)
	}
	before[c.name] = each
	check(b, "MB in "+c.name+" of "+strconv.Itoa(n), u.MemoryMB, targetLargeMB)
	if c.file == "report.html" {
		check(b, "MB of report.html of "+strconv.Itoa(n), size, targetLargePage)
	}
}
