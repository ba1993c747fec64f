package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/disteval/disteval/cmd/internal/progress"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/hub"
	"github.com/disteval/disteval/eval/ollama"
	"github.com/disteval/disteval/eval/session"
)

// pullModels gets every model of a models file that its server lacks. One that
// cannot be fetched does not stop the others.
func (a *app) pullModels(ctx context.Context, file string) error {
	plan, err := a.loadPlan(file)
	if err != nil {
		return err
	}
	cfg, err := hub.FromEnv()
	if err != nil {
		return eval.WithHint(err, "set HOME or XDG_CACHE_HOME")
	}
	p := &session.Puller{Providers: a.session().Providers, Hub: cfg, Queries: plan.Queries.Queries}
	byName := func(name string) eval.Model {
		return plan.Models[slices.IndexFunc(plan.Models, func(m eval.Model) bool { return m.Name == name })]
	}
	code := exitDone
	silent := make(map[string]bool) // servers that did not answer, by address
	for _, m := range plan.Models {
		bar, count := progress.NewBytes(a.err, terminal(a.err), m.Name), progress.NewCounts(a.err, terminal(a.err), m.Name)
		p.Tell, p.Count = bar.Tell, count.Tell
		said, err := p.Pull(ctx, m, byName)
		bar.Close()
		count.Close()
		for _, line := range said {
			fmt.Fprintf(a.out, "%s: %s\n", inert(m.Name), inert(line))
		}
		var server *ollama.ServerError
		switch {
		case ctx.Err() != nil:
			return eval.WithHint(fmt.Errorf("pull %s: %w", m.Name, eval.ErrInterrupted), "run the same command again: what came is kept")
		case errors.As(err, &server) && silent[server.Address]: // said for the first of its models
		case err != nil:
			code = max(code, a.exit(pullFault(m, err)))
			if server != nil {
				silent[server.Address] = true
			}
		}
	}
	if code != exitDone {
		return exitError(code)
	}
	return nil
}

// pullFault adds the model and the next step to an error.
func pullFault(m eval.Model, err error) error {
	hint := hintOf(err)
	var create *ollama.CreateError
	switch {
	case errors.As(err, &create):
		hint = "get the files again if they are damaged; where Ollama cannot convert a tokenizer or architecture,\n" +
			"convert the model to GGUF (llama.cpp's convert_hf_to_gguf.py does), and name that file as source:"
	case hint == "":
		hint = "check the model's name and the server's connection, then run the same command again: what came is kept"
	}
	err = fmt.Errorf("pull %s: %w", m.Name, err)
	var usage interface{ BadInput() }
	if errors.As(err, &usage) {
		return eval.BadInput(err, hint)
	}
	return eval.WithHint(err, hint)
}
