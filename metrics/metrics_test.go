package metrics

import (
	"math"
	"testing"
)

func TestAll(t *testing.T) {
	all := All()
	if len(all) != 9 || all[0].Name != EM || all[8].Name != CosineLift {
		t.Errorf("%d metrics, %+v", len(all), all)
	}
	for _, m := range all {
		if m.Title == "" || !(m.Min < m.Max) || m.Max != 1 || m.Binary && m.Min != 0 {
			t.Errorf("%+v", m)
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
