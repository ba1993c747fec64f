package session

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/disteval/disteval/eval"
)

// ParseShare reads which share of the questions is asked twice: a percentage, or
// a part of 1.
func ParseShare(text string) (float64, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	v, err := strconv.ParseFloat(number, 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v >= 0 && v <= 1) {
		return 0, eval.BadInput(fmt.Errorf("run: --audit %q is not a share of the questions", text), "give a percentage from 0% to 100%")
	}
	return v, nil
}
