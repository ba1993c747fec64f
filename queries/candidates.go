package queries

import "slices"

// Candidates lists what a model can choose from for q: its keyword first, then
// the keywords of the other queries of its category in the set's order, equal
// ones once. Other accepted forms of q's own answer are left out, since they
// would be right as well. It is nil where q has no category or no other
// keyword stands beside its own.
func (s Set) Candidates(q Query) []string {
	if q.Category == "" {
		return nil
	}
	out := []string{q.Keyword}
	for _, other := range s.Queries {
		if other.Category == q.Category && !slices.Contains(q.Aliases, other.Keyword) && !slices.Contains(out, other.Keyword) {
			out = append(out, other.Keyword)
		}
	}
	if len(out) < 2 {
		return nil
	}
	return out
}
