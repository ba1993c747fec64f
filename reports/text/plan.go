package text

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/reports"
)

// Setting is one of the program's settings and where its value comes from.
type Setting struct {
	Name, Value, Origin string
}

// WritePlan writes everything that a run would do, every default included, and
// the settings.
func WritePlan(w io.Writer, p eval.Plan, settings []Setting) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(t, "%s\t%s\n", reports.Line(name), reports.Line(fmt.Sprintf(format, args...)))
	}
	q := p.Queries
	line("models file", "%s", p.Source)
	line("queries", "%s: %d, sha256 %s", q.Label(), len(q.Queries), q.SHA256())
	samples, hosts := "", ""
	if p.Samples > 1 {
		samples = fmt.Sprintf(" x %d samples", p.Samples)
	}
	if n := p.SideBySide(); n > 1 {
		hosts = fmt.Sprintf(" on each of %d hosts at the same time", n)
	}
	line("requests", "%d models x %d queries%s = %d, %d in flight%s", len(p.Models), len(q.Queries), samples, p.Requests(), p.Parallel, hosts)
	line("plan hash", "%s", p.Hash())
	line("scoring", "include_prompt %t, embedding %s", p.Scoring.IncludePrompt, p.Scoring.Embedding)
	e := p.Emissions
	line("emissions", "method %s, country %s, pue %g, carbon_intensity_g_per_kwh %s (source %s), cpu_tdp_w %s, idle_baseline %s, sysfs %s, procfs %s",
		e.Method, orUnset(e.Country), e.PUE, orUnsetNumber(e.CarbonIntensity), orUnset(e.CarbonSource), orUnsetNumber(e.CPUTDPW), e.IdleBaseline, e.Sysfs, e.Procfs)
	for _, m := range p.Models {
		fmt.Fprintln(t)
		line("model "+m.Name, "%s (%s)", m.Model, m.Role)
		line("  provider", "%s %s", m.ProviderVersion, m.Host)
		line("  digest", "%s", m.Digest)
		line("  size", "%s parameters, %s, %d positions, %d bytes", orUnset(m.Parameters), orUnset(m.Quantization), m.ContextLength, m.SizeBytes)
		line("  can", "%s", m.Capabilities)
		if pr := m.Prompting; !pr.IsZero() {
			line("  prompt", "template %q, shots %d, examples %s, system %q", pr.Template, pr.Shots, orUnset(pr.ExamplesSrc), pr.System)
		}
		g := m.Generation
		line("  generation", "raw %t, temperature %g, repeat_penalty %g, seed %d, num_predict %d, num_ctx %d, top_k %s, top_p %s, num_thread %s, stop %q, think %s",
			g.Raw, g.Temperature, g.RepeatPenalty, g.Seed, g.NumPredict, g.NumCtx, orUnsetPointer(g.TopK), orUnsetPointer(g.TopP), orUnsetPointer(g.NumThread), g.Stop, orUnsetPointer(g.Think))
	}
	fmt.Fprintln(t)
	for _, s := range settings {
		line("setting "+s.Name, "%s (%s)", orUnset(s.Value), s.Origin)
	}
	return t.Flush()
}

func orUnset(s string) string {
	if strings.TrimSpace(s) == "" {
		return "unset"
	}
	return s
}

func orUnsetNumber(f float64) string {
	if f == 0 {
		return "unset"
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

func orUnsetPointer[T any](v *T) string {
	if v == nil {
		return "unset"
	}
	return fmt.Sprint(*v)
}
