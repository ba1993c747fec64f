package queries

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"sync"
)

//go:embed builtin.yaml
var builtinYAML []byte

var builtin = sync.OnceValue(func() Set {
	s, err := Read(bytes.NewReader(builtinYAML), "builtin.yaml", YAML)
	if err != nil {
		panic(fmt.Sprintf("embedded query set: %v", err)) // a fault of the build, which a test finds
	}
	return s
})

// Builtin is the embedded set of 200 queries, the ten published ones first. It
// is parsed at the first call; each call returns its own list of queries.
func Builtin() Set {
	s := builtin()
	s.Queries = slices.Clone(s.Queries)
	return s
}
