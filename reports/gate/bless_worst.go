package gate

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

// Near the end of a range a tolerance would let the worst value pass, and at
// the end every tolerance does. So Bless narrows it there to half the way to
// the end, and writes no check of a value that is the worst already, but a
// comment on the model that says so. Where a later run is better, the check
// takes the comment's place.

// leftOut ends the comment on a measure of which no check could fail.
const leftOut = "is the worst that it can be, so that no check of it could fail; none is written"

func leftOutComment(measure string, x float64) string {
	return fmt.Sprintf("# %s: %s %s.", measure, reports.Exact(x), leftOut)
}

// isWorst reports whether a measure's value is the worst that it can be.
func isWorst(measure string, m reports.Model) bool {
	x := value(measure, m)
	return x != nil && *x == worst(measure)
}

// measures chooses what is expected of a model: in a new entry every metric
// that has a mean, and no measure at its worst.
func (b blesser) measures(models *yaml.Node, m reports.Model, known bool) {
	n := get(models, m.Model.Name)
	var wanted []string
	if !known {
		set(child(n, Failures, yaml.FlowStyle), "max", number("0"))
		for _, metric := range m.Metrics {
			if metric.Value() != nil && metric.Bound == metrics.Exact {
				wanted = append(wanted, metric.Name)
			}
		}
	}
	key := keyNode(models, m.Model.Name)
	var lines []string
	for _, line := range strings.Split(key.HeadComment, "\n") {
		measure, is := measureLeftOut(line)
		switch {
		case is && sampled(measure) && value(measure, m) != nil && !isWorst(measure, m):
			child(n, measure, yaml.FlowStyle)
			continue
		case is && sampled(measure):
			lines = append(lines, line)
		case is && !isCost(measure):
			wanted = append(wanted, measure)
		}
		if !is && line != "" {
			lines = append(lines, line)
		}
	}
	for _, measure := range wanted {
		if !isWorst(measure, m) {
			child(child(n, "metrics", 0), measure, yaml.FlowStyle)
		}
	}
	for _, measure := range b.atWorst(n, m, wanted) {
		lines = append(lines, leftOutComment(measure, *value(measure, m)))
	}
	key.HeadComment = strings.Join(lines, "\n")
}

// measureLeftOut finds the measure that a line of comment says is left out.
func measureLeftOut(line string) (measure string, is bool) {
	measure, _, is = strings.Cut(strings.TrimPrefix(line, "# "), ": ")
	return measure, is && strings.HasSuffix(line, leftOut+".")
}

func isCost(measure string) bool {
	return measure == DurationS || measure == TokensPerS
}

// atWorst lists the measures that are wanted or stand in a model's entry and
// are at their worst. It takes those out that stand there; limits stay.
func (b blesser) atWorst(n *yaml.Node, m reports.Model, wanted []string) []string {
	var out []string
	look := func(in *yaml.Node, measure string) {
		bound := get(in, measure)
		if isWorst(measure, m) && (bound == nil || get(bound, "expected") != nil) {
			remove(in, measure)
			out = append(out, measure)
		}
	}
	list := get(n, "metrics")
	if list == nil {
		list = &yaml.Node{Kind: yaml.MappingNode}
	}
	for i := len(list.Content) - 2; i >= 0; i -= 2 {
		if name := list.Content[i].Value; !slices.Contains(wanted, name) {
			wanted = append(wanted, name)
		}
	}
	for _, metric := range m.Metrics { // in their order
		if slices.Contains(wanted, metric.Name) {
			look(list, metric.Name)
		}
	}
	if len(list.Content) == 0 {
		remove(n, "metrics")
	}
	for _, cost := range []string{EMAny, IdenticalTexts, DurationS, TokensPerS} { // no energy is the worst
		if get(n, cost) != nil || b.options.Time && isCost(cost) {
			look(n, cost)
		}
	}
	return out
}

// canFail reports whether some value fails a check with this tolerance. Where
// the worst has no end, only people can tell how wide is too wide.
func canFail(tolerance *yaml.Node, measure string, x float64) bool {
	b := Bound{Measure: measure, Expected: &x}
	b.Tolerance, b.Relative = readTolerance(tolerance)
	return b.fault() == "" || math.IsInf(worst(measure), 0)
}

// wide reports whether a tolerance is more than half the way to the worst value.
func wide(tolerance *yaml.Node, measure string, x float64) bool {
	by, relative := readTolerance(tolerance)
	return !relative && by > math.Abs(x-worst(measure))/2
}

// readTolerance reads a tolerance that the parser has found sound.
func readTolerance(n *yaml.Node) (by float64, relative bool) {
	share, relative := strings.CutSuffix(n.Value, "%")
	by, _ = strconv.ParseFloat(strings.TrimSpace(share), 64)
	if relative {
		by /= 100
	}
	return by, relative
}

// narrow makes a tolerance half the way from a value to the worst one, rounded
// down to two digits.
func narrow(tolerance *yaml.Node, measure string, x float64) {
	half := math.Abs(x-worst(measure)) / 2
	step := math.Pow(10, math.Floor(math.Log10(half))-1)
	narrower := number(strconv.FormatFloat(math.Floor(half/step*(1+edge))*step, 'g', 2, 64))
	narrower.HeadComment, narrower.LineComment, narrower.FootComment = tolerance.HeadComment, tolerance.LineComment, tolerance.FootComment
	*tolerance = *narrower
}
