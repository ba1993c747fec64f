package queries

import (
	"slices"
	"testing"
)

func TestCandidates(t *testing.T) {
	s := Set{Queries: []Query{
		{ID: "a", Keyword: "Paris", Aliases: []string{"City of Light"}, Category: "geo"},
		{ID: "b", Keyword: "Rome", Category: "geo"},
		{ID: "c", Keyword: "City of Light", Category: "geo"},
		{ID: "d", Keyword: "Rome", Category: "geo"},
		{ID: "e", Keyword: "Paris", Category: "geo"},
		{ID: "f", Keyword: "six", Category: "maths"},
		{ID: "g", Keyword: "seven"},
		{ID: "h", Keyword: "eight"},
	}}
	for id, want := range map[string][]string{
		"a": {"Paris", "Rome"}, "b": {"Rome", "Paris", "City of Light"}, "f": nil, "g": nil,
	} {
		q := s.Queries[slices.IndexFunc(s.Queries, func(q Query) bool { return q.ID == id })]
		if got := s.Candidates(q); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
}
