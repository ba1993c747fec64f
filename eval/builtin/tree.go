package builtin

import (
	"context"
	"slices"
)

// tree is texts that begin alike, in work: what they share is read once, and
// what is read at once goes through the model in one batch. Its numbers are
// those of each text by itself, to the last bit.
type tree struct {
	*session
	nodes []node // the session's rows, and behind them those that are not read yet
}

// node is one token after those of its parents.
type node struct {
	token  int32
	parent int       // its index, below the node's own; -1 of the first token
	hidden []float32 // once read
	next   *prediction
}

func (m *model) newTree() *tree { return &tree{session: m.newSession()} }

// path gives the node of each of ids, which begin at the first token; those
// that are missing are put in, unread.
func (t *tree) path(ids []int32) []int {
	out := make([]int, 0, len(ids))
	at := -1
	for _, id := range ids {
		if at = t.child(at, id); at < 0 {
			at = len(t.nodes)
			t.nodes = append(t.nodes, node{token: id, parent: lastOr(out, -1)})
		}
		out = append(out, at)
	}
	return out
}

// child is the node of id after a parent, -1 without one.
func (t *tree) child(parent int, id int32) int {
	from := parent + 1
	i := slices.IndexFunc(t.nodes[from:], func(n node) bool { return n.parent == parent && n.token == id })
	if i < 0 {
		return -1
	}
	return from + i
}

func lastOr(x []int, fallback int) int {
	if len(x) == 0 {
		return fallback
	}
	return x[len(x)-1]
}

// predict makes sure of the predictions of what follows each of nodes. When ctx
// ends, the error is ctx.Err() after at most one more batch.
func (t *tree) predict(ctx context.Context, nodes []int) error {
	if err := t.read(ctx); err != nil {
		return err
	}
	var open []int
	for _, i := range nodes {
		if t.nodes[i].next == nil && !slices.Contains(open, i) {
			open = append(open, i)
		}
	}
	for some := range slices.Chunk(open, batch) {
		x := room(&t.x, len(some), t.dim)
		for row, i := range some {
			copy(x.row(row), t.nodes[i].hidden)
		}
		logits := t.predictions(x)
		for row, i := range some {
			t.nodes[i].next = newPrediction(slices.Clone(logits.row(row)))
		}
	}
	return nil
}

// read reads the nodes that are not read yet.
func (t *tree) read(ctx context.Context) error {
	for t.positions < len(t.nodes) {
		if err := ctx.Err(); err != nil {
			return err
		}
		some := t.nodes[t.positions:min(t.positions+batch, len(t.nodes))]
		tokens := make([]int32, len(some))
		t.paths = t.paths[:0]
		for i, n := range some {
			tokens[i] = n.token
			t.paths = append(t.paths, t.ancestry(t.positions+i))
		}
		t.forward(tokens)
		hidden := slices.Clone(t.x)
		for i := range some {
			some[i].hidden = hidden[i*t.dim : (i+1)*t.dim]
		}
	}
	return nil
}

// ancestry lists the nodes from the first token to node i.
func (t *tree) ancestry(i int) []int {
	var out []int
	for ; i >= 0; i = t.nodes[i].parent {
		out = append(out, i)
	}
	slices.Reverse(out)
	return out
}
