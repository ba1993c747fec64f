package session

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/disteval/disteval/eval"
)

// largeRequests is how many requests make runs large: memory then counts more
// than time.
const largeRequests = 25_000

// How far the heap may grow over what is in use before garbage is collected, in
// percent. While models answer little is in use, and collecting it takes
// processor time that a model may want. In a command on large runs it reaches
// the limit, which holds the memory in its stead.
const (
	usualGrowth  = 100 // as Go has it
	askingGrowth = 300
	largeGrowth  = 400
)

// growth is what holds now.
var growth struct {
	sync.Mutex
	percent int // where no model answers
	asking  bool
}

// setGrowth changes what holds, unless GOGC does.
func setGrowth(change func()) {
	if os.Getenv("GOGC") != "" {
		return
	}
	growth.Lock()
	defer growth.Unlock()
	change()
	percent := growth.percent
	if growth.asking {
		percent = max(percent, askingGrowth)
	}
	debug.SetGCPercent(percent)
}

// atEase lets the heap grow further until the function that it returns is
// called.
func atEase() (end func()) {
	setGrowth(func() { growth.asking = true })
	return func() { setGrowth(func() { growth.asking = false }) }
}

// BeginAtEase lets the heap of a command grow to 12 MiB before garbage is
// collected for the first time, instead of 4: to what it may take while models
// answer. A small run then begins without a collection, and large ones grow as
// usual after the first.
func BeginAtEase() {
	setGrowth(func() { growth.percent = askingGrowth })
	runtime.AddCleanup(new(firstGarbage), func(struct{}) {
		setGrowth(func() {
			if growth.percent == askingGrowth {
				growth.percent = usualGrowth
			}
		})
	}, struct{}{})
}

// firstGarbage is what the first collection of garbage finds. It has a pointer, so
// that nothing else shares its memory.
type firstGarbage struct{ _ *byte }

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
		setGrowth(func() { growth.percent = largeGrowth })
		debug.SetMemoryLimit(int64(bytesAtLeast + bytesByQuery*m.queries + bytesByRequest*m.requests))
	}
}
