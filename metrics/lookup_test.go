package metrics

import "testing"

func TestNamed(t *testing.T) {
	for _, want := range All() {
		if got, ok := Named(want.Name); !ok || got != want {
			t.Errorf("Named(%q) = %+v, %t", want.Name, got, ok)
		}
	}
	if m, ok := Named("bleu"); ok {
		t.Errorf("there is a metric %+v", m)
	}
}

func TestFind(t *testing.T) {
	scores := []Score{{Metric: Cosine, Status: Unscored, Reason: "no vector"}, {Metric: EM, Value: 1, Status: Scored}}
	if n := Find(scores, EM).Number(); n == nil || *n != 1 {
		t.Errorf("em is %v", n)
	}
	if s := Find(scores, Cosine); s.Number() != nil || s.Reason != "no vector" {
		t.Errorf("cosine is %+v", s)
	}
	if s := Find(scores, RougeLF1); s.Number() != nil || s.Status != Unscored {
		t.Errorf("a missing score is %+v", s)
	}
}
