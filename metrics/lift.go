package metrics

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
