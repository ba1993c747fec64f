package runstore

import (
	"database/sql"
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/disteval/disteval/metrics"
)

// FuzzAsWritten: what the quick reader takes, encoding/json takes for the same.
func FuzzAsWritten(f *testing.F) {
	scores := make([]metrics.Score, 0, textMetrics)
	for i, m := range metrics.Text() {
		s := metrics.Score{Metric: m.Name, Value: float64(i) / 7, Status: metrics.Scored}
		if i%4 == 3 {
			s = metrics.Score{Metric: m.Name, Status: metrics.Unscored, Reason: "the text has no vector (zyx, été)"}
		}
		scores = append(scores, s)
	}
	whole := encodeScores(scores)
	if !asWritten(whole, names()) {
		f.Fatalf("%s is not read quickly", whole)
	}
	for _, seed := range []string{whole, whole[:len(whole)-1], whole + " ", "{}", "", `{"em":1}`, `{"em":"\\u0041"`, "[1,2]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, object string) {
		quick := names()
		if !asWritten(object, quick) {
			if !reflect.DeepEqual(quick, names()) {
				t.Fatalf("%q is not taken, and yet sets %+v", object, quick)
			}
			return
		}
		if !json.Valid([]byte(object)) {
			return // never written, and read as the numbers that stand in it
		}
		row, err := scoresByName(sql.NullString{String: object, Valid: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range quick {
			if v, scored := row[s.Metric].(float64); scored != (s.Status == metrics.Scored) || v != s.Value ||
				!scored && utf8.ValidString(object) && row[s.Metric] != s.Reason {
				t.Fatalf("%q: %+v, by encoding/json %v", object, s, row[s.Metric])
			}
		}
	})
}

func names() []metrics.Score {
	var out []metrics.Score
	for _, m := range metrics.Text() {
		out = append(out, metrics.Score{Metric: m.Name, Status: metrics.Unscored})
	}
	return out
}
