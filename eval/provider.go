package eval

import (
	"context"
	"fmt"
	"strings"
)

// Provider gives access to the models of one kind of server, or to those of
// this process.
type Provider interface {
	// Resolve fills in what is known of models, all of this provider: what a
	// Model's fields from Digest on say. A missing model is an error that names
	// all that are missing.
	Resolve(ctx context.Context, models []Model) ([]Model, error)
	// Open returns the generator of a model that Resolve has described.
	Open(m Model) (Generator, error)
}

// EmbeddingProvider is a Provider that can also turn texts into vectors.
type EmbeddingProvider interface {
	Provider
	// Embedder returns the embedding model of that name, after it has answered
	// once.
	Embedder(ctx context.Context, model string) (Embedder, error)
}

// Capabilities says what a provider can do with one model. What a plan needs
// and a provider lacks is refused before the first question.
type Capabilities struct {
	Raw           bool `json:"raw"`           // completes a text as it stands
	Chat          bool `json:"chat"`          // answers a message, through the model's template
	Seed          bool `json:"seed"`          // the same seed gives the same draws
	Logprobs      int  `json:"logprobs"`      // most alternatives with each generated token; 0: no log-probabilities
	Continuations bool `json:"continuations"` // exact log-probabilities of a given continuation
	Digest        bool `json:"digest"`        // the weights are identified
	Unload        bool `json:"unload"`        // the memory can be freed
}

// need is one thing that a plan asks of a model.
type need struct {
	name string
	met  bool
	cure string
}

// needs lists what the plan asks of a resolved model.
func (p Plan) needs(m Model) []need {
	g, has, l := m.Generation, m.Capabilities, p.Likelihood
	const without = "set likelihood: off"
	return []need{
		{"log-probabilities (likelihood.answers)", !stated(l.Answers, false) || has.canProbe(), without},
		{"log-probabilities (likelihood.choice)", !stated(l.Choice, false) || has.canProbe(), without},
		{"log-probabilities (likelihood.fidelity)", stated(l.FidelityTokens, 0) == 0 || has.canProbe(), without},
		{"raw completion", !g.Raw || has.Raw, "set generation.raw: false"},
		{"a prompt template (generation.raw: false)", g.Raw || has.Chat, "set generation.raw: true"},
		{"a seed for its draws (temperature above 0)", g.Temperature == 0 || has.Seed, "set generation.temperature: 0"},
	}
}

// CapabilityError names what a plan needs and a provider cannot do.
type CapabilityError struct {
	Model Model
	Lacks []string
	Cures []string
}

func (e *CapabilityError) Error() string {
	return fmt.Sprintf("check model %s: provider %s cannot give %s %s", e.Model.Name, e.Model.Provider, e.Model.Model, strings.Join(e.Lacks, ", nor "))
}

// Hint is what to change in the models file.
func (e *CapabilityError) Hint() string { return strings.Join(e.Cures, "\n") }

// BadInput marks the models file as wrong.
func (e *CapabilityError) BadInput() {}

// Check refuses a plan whose resolved models cannot do what it asks of them.
func (p Plan) Check() error {
	for _, m := range p.Models {
		e := &CapabilityError{Model: m}
		for _, n := range p.needs(m) {
			if !n.met {
				e.Lacks, e.Cures = append(e.Lacks, n.name), append(e.Cures, n.cure)
			}
		}
		if len(e.Lacks) > 0 {
			return e
		}
	}
	return nil
}
