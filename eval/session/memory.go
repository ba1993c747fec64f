package session

import (
	"os"
	"runtime/debug"

	"github.com/disteval/disteval/eval"
)

// largeRequests is how many requests make runs large: memory then counts more
// than time.
const largeRequests = 25_000

// askingGrowth is how far the heap may grow over what is in use while models
// answer, in percent. Little is in use then, and collecting it takes processor
// time that a model may want.
const askingGrowth = 300

// atEase lets the heap grow further until the function that it returns is
// called, unless GOGC says how far.
func atEase() (end func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(askingGrowth)
	return func() { debug.SetGCPercent(before) }
}

// largeGrowth is how far the heap may grow over what is in use in a command on
// large runs, in percent: it reaches the limit, which holds the memory in its
// stead, and collects less often before that.
const largeGrowth = 400

// What a command on large runs gets by with and does not collect garbage all the
// time: queries, and figures by query, live as long as it does.
const (
	bytesAtLeast   = 80 << 20
	bytesByQuery   = 300
	bytesByRequest = 75
)

// Memory is how large the runs are that a command has to do with.
type Memory struct {
	runs              map[string]bool // by ID
	requests, queries int
}

// Hold has the garbage collector keep a command on large runs within what these
// need, the pages of the program's file not counted. Where they are small it may
// take twice what is in use, which saves time. GOGC and GOMEMLIMIT, where either
// is set, hold instead.
func (m *Memory) Hold(rec eval.RunRecord) {
	if m.runs[rec.ID] || os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if m.runs == nil {
		m.runs = make(map[string]bool)
	}
	m.runs[rec.ID] = true
	m.requests += rec.Plan.Requests()
	m.queries += len(rec.Plan.Queries.Queries)
	if m.requests >= largeRequests {
		debug.SetGCPercent(largeGrowth)
		debug.SetMemoryLimit(int64(bytesAtLeast + bytesByQuery*m.queries + bytesByRequest*m.requests))
	}
}
