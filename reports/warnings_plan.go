package reports

import (
	"fmt"
	"slices"
	"strings"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics/text"
)

// planWarnings are about what was asked of whom.
func planWarnings(r Report) []string {
	return slices.Concat(settingWarnings(r.Plan.Models), digestWarnings(r.Plan.Models), leakWarnings(r.Plan))
}

// settingWarnings name the options in which models differ that decide what
// they answer.
func settingWarnings(models []eval.Model) []string {
	var out []string
	for _, option := range []struct {
		name string
		of   func(eval.Generation) string
	}{
		{"num_predict", func(g eval.Generation) string { return fmt.Sprint(g.NumPredict) }},
		{"temperature", func(g eval.Generation) string { return fmt.Sprint(g.Temperature) }},
		{"raw", func(g eval.Generation) string { return fmt.Sprint(g.Raw) }},
	} {
		var values []string
		of := make(map[string][]string)
		for _, m := range models {
			v := option.of(m.Generation)
			if of[v] == nil {
				values = append(values, v)
			}
			of[v] = append(of[v], m.Name)
		}
		if len(values) < 2 {
			continue
		}
		for i, v := range values {
			values[i] = fmt.Sprintf("%s (%s)", v, strings.Join(of[v], ", "))
		}
		out = append(out, fmt.Sprintf("The models were asked with different %s: %s. Part of the difference between them is that; give all of them one value unless it is meant.",
			option.name, strings.Join(values, ", ")))
	}
	return out
}

// digestWarnings name models that are one under several names.
func digestWarnings(models []eval.Model) []string {
	var digests, out []string
	of := make(map[string][]string)
	for _, m := range models {
		if m.Digest == "" {
			continue
		}
		if of[m.Digest] == nil {
			digests = append(digests, m.Digest)
		}
		of[m.Digest] = append(of[m.Digest], m.Name)
	}
	for _, d := range digests {
		if names := of[d]; len(names) > 1 {
			out = append(out, fmt.Sprintf("%s are one model under %d names (digest %.12s). If that is not meant, see what their model: says.",
				strings.Join(names, " and "), len(names), strings.TrimPrefix(d, "sha256:")))
		}
	}
	return out
}

// mostNamed is how many queries a warning names.
const mostNamed = 5

// leakWarnings name queries whose prompt holds their answer.
func leakWarnings(p eval.Plan) []string {
	var scorer text.Scorer
	var words text.Words
	var leaks []string
	for _, q := range p.Queries.Queries {
		words.Reset(q.Prompt)
		if scorer.Keyword(q.Keyword, q.Aliases, q.Prompt, &words).Found {
			leaks = append(leaks, q.ID)
		}
	}
	if leaks == nil {
		return nil
	}
	named := strings.Join(leaks[:min(len(leaks), mostNamed)], ", ")
	if more := len(leaks) - mostNamed; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	return []string{fmt.Sprintf("Prompts that hold their own answer: %d of %d queries (%s). A reply that repeats the prompt counts as right; word them anew (disteval queries check names them all).",
		len(leaks), len(p.Queries.Queries), named)}
}
