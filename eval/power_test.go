package eval_test

import (
	"context"
	"testing"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/emissions/codecarbon"
	"github.com/disteval/disteval/eval"
)

// TestPowerOfTurns: the models' powers follow each other from the start of
// metering on, and what a long answer phase has drawn is stored while it goes on.
func TestPowerOfTurns(t *testing.T) {
	s := newMemory()
	clock := time.Unix(1000, 0)
	g := &told{answer: func(ctx context.Context, prompt string, n int) (eval.Reply, error) {
		clock = clock.Add(30 * time.Second)
		return yes(ctx, prompt, n)
	}}
	r := runner(plan(4, "A", "B"), s, g)
	r.Metered = clock.Add(-10 * time.Second)
	r.Now = func() time.Time { clock = clock.Add(time.Millisecond); return clock }
	r.Meter = func(eval.Model) emissions.Meter { return codecarbon.NewMeter(100, 0) }
	if err := r.Run(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	var a, b eval.TurnPower
	times := map[string]int{}
	for _, p := range s.power {
		times[p.Model]++
		if !p.Whole() || p.Process != 1 || !p.Zones[0].Estimated || *p.Zones[0].W[0] != 50 {
			t.Fatalf("%+v", p)
		}
		if p.Model == "A" {
			a = p
		} else {
			b = p
		}
	}
	if !a.Start.Equal(r.Metered) || times["A"] != 5 {
		t.Errorf("A's power begins at %v and was stored %d times; want %v, and once every answer and at the end", a.Start, times["A"], r.Metered)
	}
	end := a.Start.Add(a.Ends[len(a.Ends)-1])
	if d := b.Start.Sub(end); d < 0 || d > 10*time.Millisecond {
		t.Errorf("B's power begins %v after the end of A's", d)
	}
	if last := b.Ends[len(b.Ends)-1]; last < 2*time.Minute || last > 2*time.Minute+time.Second {
		t.Errorf("B's turn of 2 min has power over %v", last)
	}
}
