package cli

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/spec"
)

// builtinModels is the models file of the models inside the program.
//
//go:embed builtin.yaml
var builtinModels []byte

// loadPlan reads a models file; builtin is the embedded one.
func (a *app) loadPlan(models string) (eval.Plan, error) {
	s := a.settings
	d := spec.Defaults{Country: s.Country.Value, Sysfs: s.Sysfs.Value, Procfs: s.Procfs.Value}
	var plan eval.Plan
	var err error
	if models == "builtin" {
		plan, err = spec.Parse(builtinModels, "builtin", d)
	} else {
		plan, err = spec.Load(models, d)
	}
	var file *fs.PathError
	if errors.As(err, &file) {
		return plan, eval.BadInput(fmt.Errorf("the models file: %w", err),
			"name a file that can be read; the README shows a models file, and --models builtin needs none")
	}
	if err != nil {
		return plan, err
	}
	// What the user says on the command line or in the environment stands
	// above the file.
	for _, o := range []struct {
		setting setting
		to      *string
	}{{s.Country, &plan.Emissions.Country}, {s.Sysfs, &plan.Emissions.Sysfs}, {s.Procfs, &plan.Emissions.Procfs}} {
		if o.setting.stated() {
			*o.to = o.setting.Value
		}
	}
	return plan, nil
}

// writePlan shows everything that a run would do, every default included.
func writePlan(w io.Writer, p eval.Plan, settings []setting) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(t, "%s\t%s\n", inert(name), inert(fmt.Sprintf(format, args...)))
	}
	q := p.Queries
	line("models file", "%s", p.Source)
	line("queries", "%s%s: %d, sha256 %s", q.Name, versionOf(q.Version), len(q.Queries), q.SHA256())
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

func versionOf(v string) string {
	if v == "" {
		return ""
	}
	return " " + v
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
