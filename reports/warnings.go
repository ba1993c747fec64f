package reports

import (
	"fmt"
	"slices"
	"strings"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/stat"
)

// warnings says what a reader must know before believing the figures, each
// with what to do about it.
func warnings(r Report) []string {
	var out []string
	for _, m := range r.Models {
		out = append(out, outcomeWarnings(r, m)...)
		out = append(out, lengthWarnings(m)...)
		for _, w := range m.Metric(metrics.EM).Warnings {
			out = append(out, fmt.Sprintf("%s, em: %s", m.Model.Name, w))
		}
	}
	return slices.Concat(out, energyWarnings(r), planWarnings(r), testWarnings(r))
}

// outcomeWarnings are about what is missing.
func outcomeWarnings(r Report, m Model) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, m.Model.Name+fmt.Sprintf(format, args...)) }
	if m.Reused != nil {
		add(": %s.", m.Reused)
	}
	if m.GaveUp != "" {
		add(" was given up: %s. Go on with --resume.", m.GaveUp)
	}
	if m.Missing > 0 {
		add(": %d of %d questions have no outcome; the run is partial.", m.Missing, r.Plan.RequestsPerModel())
	}
	if m.PromptsCut > 0 {
		add(": %d prompts were read as fewer tokens than they have words. The server has cut them (see num_ctx and its version), or does not count what it kept of the prompt before.", m.PromptsCut)
	}
	if m.Noise != "" {
		out = append(out, m.Noise)
	}
	if m.Failures > 0 {
		add(": failures: %d. They are neither right nor wrong and enter no mean.", m.Failures)
	}
	if m.Energy.Quality == emissions.Partial || (m.Energy.Quality == emissions.Unavailable && m.Replies > 0 && (m.Reused == nil || m.Reused.Whole)) {
		add(": energy is %s: %s", m.Energy.Quality, m.Energy.Reason)
	} else if m.UnmeteredS > 0 {
		add(": %s.", unmetered(m))
	}
	return out
}

// lengthWarnings are about replies that are no answers.
func lengthWarnings(m Model) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, m.Model.Name+": "+fmt.Sprintf(format, args...)) }
	l := m.Lengths
	if l.ReasoningOnly > 0 {
		add("in %d of %d replies reasoning used up the tokens and no answer came: raise num_predict, or set think: false under generation.", l.ReasoningOnly, m.Replies)
	}
	if empty := l.Empty - l.ReasoningOnly; 2*empty > m.Replies {
		cure := "See whether the model is meant for plain completion (raw: true) or for chat (raw: false), and whether a stop text ends its replies."
		if 2*l.EmptyCut > l.Empty {
			cure = "They were cut at num_predict, so the tokens went into blanks or into reasoning that the server keeps apart: raise num_predict, or set think: false under generation."
		}
		add("%d of %d replies are empty. %s", empty, m.Replies, cure)
	}
	return out
}

// testWarnings are about what the tests can tell.
func testWarnings(r Report) []string {
	var out []string
	if n := r.tested(); n > 0 {
		if d, ok := stat.MinimumDetectable(n, 0.10, 0.80); ok {
			out = append(out, fmt.Sprintf("With %d queries, a difference in em below about %.1f points cannot be told from noise (80 %% power where two models disagree on 10 %% of the queries).", n, 100*d))
		} else {
			out = append(out, fmt.Sprintf("With %d queries, a difference in em can hardly be told from noise at all (80 %% power where two models disagree on 10 %% of the queries).", n))
		}
	}
	var disagree []string
	for _, c := range r.Comparisons {
		if c.contradicts() {
			disagree = append(disagree, c.Model+" "+c.Title)
		}
	}
	if disagree != nil {
		out = append(out, "The interval of the difference and its p disagree about 0, which so near the border both may be off about; go by p: "+strings.Join(disagree, ", ")+".")
	}
	if r.Plan.Reference() == nil && len(r.Models) > 1 {
		out = append(out, "No model has role: reference, so no model is tested against another.")
	}
	return out
}

// tested is on how many queries em is compared, or stated where nothing is
// compared: the fewest of any model that has a score.
func (r Report) tested() int {
	least := 0
	note := func(n int) {
		if n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	for _, c := range r.Comparisons {
		if c.Metric == metrics.EM {
			note(c.N)
		}
	}
	if least == 0 {
		for _, m := range r.Models {
			note(m.Metric(metrics.EM).N)
		}
	}
	return least
}

// energyWarnings names for each warning of the meters all the models that it
// is of: on one machine it mostly is of every one.
func energyWarnings(r Report) []string {
	var kinds, said, out []string
	of := make(map[string][]string)
	for _, m := range r.Models {
		for _, w := range m.Energy.Warnings {
			if of[w] == nil {
				said = append(said, w)
			}
			of[w] = append(of[w], m.Model.Name)
		}
	}
	for _, w := range said {
		out = append(out, fmt.Sprintf("%s, energy: %s", strings.Join(of[w], ", "), w))
	}
	for _, m := range r.Models {
		if kind := strings.TrimSpace(m.Energy.Method + " " + string(m.Energy.Quality)); !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) > 1 {
		out = append(out, "The models' energies were obtained in different ways ("+strings.Join(kinds, "; ")+") and must not be ranked against each other.")
	}
	return out
}
