package cli

import (
	"os"
	"runtime/debug"

	"github.com/disteval/disteval/eval"
)

// manyRequests is how many requests make a run large.
const manyRequests = 100_000

// spareMemory has the garbage collector let a large run's heap grow by a fifth
// beyond what is in use before it collects, not to twice of it: the queries and
// the figures by query live as long as the command. GOGC, where it is set, holds.
func spareMemory(p eval.Plan) {
	if p.Requests() > manyRequests && os.Getenv("GOGC") == "" {
		debug.SetGCPercent(20)
	}
}
