package metrics

import "slices"

// Named returns the metric of that name; ok is false where there is none.
func Named(name string) (m Metric, ok bool) {
	all := All()
	i := slices.IndexFunc(all, func(m Metric) bool { return m.Name == name })
	if i < 0 {
		return Metric{}, false
	}
	return all[i], true
}

// At returns the score of All()[i]; without one, an Unscored one. Scores mostly
// stand in that order, so that it need not look for it.
func At(scores []Score, i int) Score {
	if i < len(scores) && scores[i].Metric == all[i].Name {
		return scores[i]
	}
	return Find(scores, all[i].Name)
}

// Find returns one metric's score of a reply; without one, an Unscored one.
func Find(scores []Score, name string) Score {
	for i := range scores { // in place: a score is large to copy
		if scores[i].Metric == name {
			return scores[i]
		}
	}
	return Score{Metric: name, Status: Unscored, Reason: "not scored"}
}

// Number returns the value, nil where it is Unscored.
func (s Score) Number() *float64 {
	if s.Status != Scored {
		return nil
	}
	value := s.Value // alone: what is returned is kept, and a score is large
	return &value
}
