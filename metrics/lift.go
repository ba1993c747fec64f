package metrics

import "slices"

// Lift is cosine_lift: how far a cosine stands above the floor, the mean
// cosine of the same model's replies with the references of other queries, as
// a part of the way from there to 1. It is at most 1 and below 0 for a cosine
// under the floor; ok is false where the floor is 1 and nothing can stand
// above it.
func Lift(cosine, floor float64) (lift float64, ok bool) {
	if floor >= 1 {
		return 0, false
	}
	return (cosine - floor) / (1 - floor), true
}

// FillLift gives a reply's scores, every metric's in canonical order, the
// cosine_lift that follows from their cosine and the floor of the run; floor
// is nil where it is not known.
func FillLift(scores []Score, floor *float64) {
	at := func(name string) *Score {
		return &scores[slices.IndexFunc(scores, func(s Score) bool { return s.Metric == name })]
	}
	cosine, out := at(Cosine), at(CosineLift)
	if cosine.Status != Scored {
		out.Reason = cosine.Reason
		return
	}
	if floor == nil {
		return
	}
	if v, ok := Lift(cosine.Value, *floor); ok {
		out.Value, out.Status, out.Reason = v, Scored, ""
	} else {
		out.Reason = "the floor is 1"
	}
}
