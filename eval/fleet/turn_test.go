package fleet_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/fleet"
)

// replaceable is an echo whose model is exchanged once replaced is set.
type replaceable struct {
	*echo
	replaced *atomic.Bool
}

func (g replaceable) Verify(context.Context) error {
	if g.replaced.Load() {
		return &eval.ReplacedError{Model: g.model, Was: "a", Now: "b"}
	}
	return nil
}

// The answers of a worker whose model was exchanged under it become failures,
// those of others stay, and the model counts as given up.
func TestModelReplaced(t *testing.T) {
	t.Parallel()
	s, c := own(t, fleet.Options{})
	start(t, worker("good", echo{delay: 5 * time.Millisecond}, "teacher"), dialWorker(t, s, "good"))
	var replaced atomic.Bool
	bad := worker("bad", echo{}, "teacher")
	bad.Open = func(m eval.Model) (eval.Generator, error) {
		return replaceable{&echo{model: m.Model, delay: 5 * time.Millisecond}, &replaced}, nil
	}
	start(t, bad, dialWorker(t, s, "bad"))
	p := resolve(t, c, planOf(100, "teacher"))
	time.AfterFunc(300*time.Millisecond, func() { replaced.Store(true) })
	store, err := ask(t, s, c, p)
	if err != nil {
		t.Fatal(err)
	}
	if why := store.gaveUp["TEACHER"]; !strings.Contains(why, "bad: ") {
		t.Errorf("given up: %q", why)
	}
	for id, r := range store.replies {
		failed := r.Failure != nil && r.Failure.Kind == eval.FailReplaced
		if failed != (r.Host == "bad") {
			t.Errorf("%s on %s: %v", id, r.Host, r.Failure)
		}
	}
	if n := store.hostsOfReplies(); n["bad"] == 0 || n["good"] == 0 {
		t.Errorf("replies of %v", n)
	}
}
