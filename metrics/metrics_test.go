package metrics

import (
	"math"
	"testing"
)

func TestAll(t *testing.T) {
	all := All()
	if len(all) != 15 || len(Text()) != 9 || all[0].Name != EM || all[8].Name != CosineLift {
		t.Errorf("%d metrics, %+v", len(all), all)
	}
	for _, m := range Text() {
		if m.Title == "" || !(m.Min < m.Max) || m.Max != 1 || m.Better != Higher || m.Binary && m.Min != 0 {
			t.Errorf("%+v", m)
		}
	}
	for _, m := range Likelihood() {
		if m.Title == "" || m.Min != 0 || m.Binary != (m.Max == 1) || (m.Better == Higher) != m.Binary {
			t.Errorf("%+v", m)
		}
	}
}

func TestCompare(t *testing.T) {
	exact := func(v float64) Score { return Score{Value: v} }
	least := func(v float64) Score { return Score{Value: v, Bound: AtLeast} }
	most := func(v float64) Score { return Score{Value: v, Bound: AtMost} }
	for _, c := range []struct {
		a, b  Score
		order int
		known bool
	}{
		{exact(1), exact(2), -1, true}, {exact(2), exact(2), 0, true}, {exact(3), exact(2), 1, true},
		{least(3), exact(2), 1, true}, {least(2), exact(2), 0, false}, {least(1), exact(2), 0, false},
		{most(1), exact(2), -1, true}, {most(2), exact(2), 0, false}, {exact(2), most(1), 1, true},
		{least(3), most(2), 1, true}, {least(3), least(2), 0, false}, {most(3), most(2), 0, false}, {most(1), least(2), -1, true},
	} {
		if order, known := Compare(c.a, c.b); order != c.order || known != c.known {
			t.Errorf("Compare(%+v, %+v) = %d, %v", c.a, c.b, order, known)
		}
	}
}

func TestLift(t *testing.T) {
	for _, c := range [][3]float64{{0.7, 0.4, 0.5}, {0.4, 0.4, 0}, {1, 0.9, 1}, {0, 0.5, -1}, {0.5, -1, 0.75}} {
		if got, ok := Lift(c[0], c[1]); !ok || math.Abs(got-c[2]) > 1e-12 {
			t.Errorf("Lift(%v, %v) = %v, %v; want %v", c[0], c[1], got, ok, c[2])
		}
	}
	if _, ok := Lift(1, 1); ok {
		t.Error("a lift above a floor of 1")
	}
}
