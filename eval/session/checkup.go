package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/emissions/machine"
	"github.com/disteval/disteval/emissions/rapl"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/builtin"
	"github.com/disteval/disteval/eval/hub"
	"github.com/disteval/disteval/eval/spec"
)

// Checkup says what works on this machine: the models of the Ollama at
// OLLAMA_HOST and those of the models file, if there is one, the energy, the
// carbon factor, and the folders that are written to. runs is the folder of runs.
func (s *Session) Checkup(ctx context.Context, models, runs string, d spec.Defaults) []eval.Condition {
	found := s.Find(ctx, filepath.Dir(models))
	return append([]eval.Condition{
		found.server(),
		found.models(),
		inside(found.Files),
		s.modelsFile(ctx, models, &d),
		energy(machine.Examine(ctx, machine.Options{Sysfs: d.Sysfs, Procfs: d.Procfs})),
		carbon(d.Country)},
		folders(runs)...)
}

// withCure is a condition that does not work, with the error's own advice.
func withCure(name string, state eval.State, err error, cure string) eval.Condition {
	var hint interface{ Hint() string }
	if errors.As(err, &hint) {
		cure = cmp.Or(hint.Hint(), cure)
	}
	return eval.Condition{Name: name, State: state, Found: err.Error(), Cure: cure}
}

func (f Found) server() eval.Condition {
	if f.ServerErr != nil {
		return withCure("Ollama", eval.Fails, f.ServerErr, "see that OLLAMA_HOST names a server")
	}
	return eval.Condition{Name: "Ollama", State: eval.Works, Found: f.Server.Version + " at " + f.Server.Address}
}

func (f Found) models() eval.Condition {
	c := eval.Condition{Name: "its models", State: eval.Works}
	var names []string
	for _, m := range f.Server.Models {
		names = append(names, m.Name)
	}
	c.Found = few(names)
	if n := len(f.Server.Embeddings); n > 0 {
		c.Found += "; for scoring: " + few(f.Server.Embeddings)
	}
	var others []string
	for _, o := range f.Server.Others {
		others = append(others, o.Name+" ("+o.Why+")")
	}
	switch {
	case f.ServerErr != nil:
		c.State, c.Found, c.Cure = eval.Fails, "not known without the server", "start it, or ask models elsewhere with provider: openai"
	case len(names) == 0:
		c.State, c.Cure = eval.Fails, "ollama pull MODEL, or name a source in models.yaml and let disteval models pull get it"
	case len(others) > 0:
		c.State, c.Found, c.Cure = eval.Partly, c.Found+"; not "+few(others), "leave these out of models.yaml, or pull them again"
	}
	return c
}

// few names at most five.
func few(names []string) string {
	const most = 5
	switch n := len(names) - most; {
	case len(names) == 0:
		return "none"
	case n > 0:
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", n)
	}
	return strings.Join(names, ", ")
}

// inside is what can always be asked.
func inside(files []eval.Model) eval.Condition {
	names := builtin.Names()
	for _, m := range files {
		names = append(names, m.Model)
	}
	return eval.Condition{Name: "models in the program", State: eval.Works, Found: few(names) + " (--models builtin asks the miniatures)"}
}

// modelsFile checks that the models of a file can be asked as it says. d takes
// the country that it states.
func (s *Session) modelsFile(ctx context.Context, path string, d *spec.Defaults) eval.Condition {
	name := filepath.Base(path)
	plan, err := spec.Load(path, *d)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return eval.Condition{Name: name, State: eval.Fails, Found: "there is none here", Cure: "disteval init writes one for what is on this machine"}
	case err != nil:
		return withCure(name, eval.Fails, err, "correct the file; disteval init --force writes it anew")
	}
	d.Country = cmp.Or(plan.Emissions.Country, d.Country)
	var wrong []string
	for _, m := range s.Providers.Describe(ctx, plan) {
		if m.Fault() != nil {
			wrong = append(wrong, m.Model.Name)
		}
	}
	total := len(plan.Models)
	if len(wrong) == 0 {
		return eval.Condition{Name: name, State: eval.Works, Found: fmt.Sprintf("asks %s, which are all there", counted(total, "model"))}
	}
	c := eval.Condition{Name: name, State: eval.Partly, Found: fmt.Sprintf("of %s, these cannot be asked: %s", counted(total, "model"), few(wrong)),
		Cure: "disteval models check --models " + path + " says why; disteval models pull gets what is missing"}
	if len(wrong) == total {
		c.State = eval.Fails
	}
	return c
}

func energy(p machine.Probe) eval.Condition {
	c := eval.Condition{Name: "energy", State: eval.Works, Found: string(p.Quality)}
	if len(p.Auto) > 0 {
		c.Found += ", by " + strings.Join(p.Auto, " and ")
	}
	switch p.Quality {
	case emissions.Measured:
		return c
	case emissions.Unavailable:
		c.State = eval.Fails
	default:
		c.State = eval.Partly
	}
	var cures []string
	for _, f := range p.Findings {
		switch {
		case f.Quality != emissions.Unavailable:
			cures = append(cures, f.Missing...)
		case f.Present || f.Method == rapl.Method:
			cures = append(cures, f.Reason)
		}
	}
	c.Cure = strings.Join(append(cures[:min(len(cures), 3)], "disteval energy probe lists every counter and what it lacks"), "\n")
	return c
}

func carbon(country string) eval.Condition {
	f, err := eval.Emissions{Country: country}.Factor()
	switch {
	case err != nil:
		return withCure("carbon factor", eval.Fails, err, "")
	case f == nil:
		return eval.Condition{Name: "carbon factor", State: eval.Fails, Found: "no country is stated, so that there is energy and no CO2",
			Cure: "set emissions.country in the models file, --country or DISTEVAL_COUNTRY to a code such as AUS"}
	}
	return eval.Condition{Name: "carbon factor", State: eval.Works, Found: fmt.Sprintf("%s: %.4g g/kWh (%d)", f.Country, f.GPerKWh, f.Year)}
}

func folders(runs string) []eval.Condition {
	out := eval.Condition{Name: "folder of runs", State: eval.Works, Found: runs, Needed: true}
	if err := writable(runs); err != nil {
		out.State, out.Found, out.Cure = eval.Fails, err.Error(), "name another with --out or DISTEVAL_OUT, or give permission to write there"
	}
	cache := eval.Condition{Name: "cache of weights", State: eval.Works}
	cfg, err := hub.FromEnv()
	if err == nil {
		cache.Found = cfg.Cache
		err = writable(cfg.Cache)
	}
	if err != nil {
		cache.State, cache.Found, cache.Cure = eval.Fails, err.Error(), "only disteval models pull and models doctor need it: set XDG_CACHE_HOME to a folder that can be written to"
	}
	return []eval.Condition{out, cache}
}

// writable tries a folder, or, where it is not there yet, the one that it would
// be made in, and leaves nothing behind.
func writable(dir string) error {
	for {
		info, err := os.Stat(dir)
		switch {
		case err == nil && !info.IsDir():
			return fmt.Errorf("%s is not a folder", dir)
		case err == nil:
			f, err := os.CreateTemp(dir, ".disteval-*")
			if err != nil {
				return fmt.Errorf("%s cannot be written to: %w", dir, err)
			}
			return errors.Join(f.Close(), os.Remove(f.Name()))
		case !errors.Is(err, fs.ErrNotExist) || filepath.Dir(dir) == dir:
			return err
		}
		dir = filepath.Dir(dir)
	}
}
