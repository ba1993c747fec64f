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
	// Embedder returns the embedding model that a plan's scoring names.
	Embedder(ctx context.Context, by Scoring) (Embedder, error)
}

// Verifier is a Generator that can tell whether its model is still the one that
// the plan names.
type Verifier interface {
	// Verify returns a *ReplacedError where another model stands in its place,
	// and a *Failure where the provider cannot be asked.
	Verify(ctx context.Context) error
}

// ReplacedError means that a model was exchanged for another of its name.
type ReplacedError struct {
	Model    string // as the provider calls it
	Was, Now string // digests; Now is empty where the model has gone
}

func (e *ReplacedError) Error() string {
	if e.Now == "" {
		return fmt.Sprintf("model %s (digest %s) was deleted while it was asked", e.Model, e.Was)
	}
	return fmt.Sprintf("model %s was replaced while it was asked: its digest was %s and is %s", e.Model, e.Was, e.Now)
}

// Capabilities says what a provider can do with one model. What a plan needs
// and a provider lacks is refused before the first question.
type Capabilities struct {
	Raw           bool   `json:"raw"`                 // completes a text as it stands
	Chat          bool   `json:"chat"`                // answers a message, through the model's template
	Seed          bool   `json:"seed"`                // the same seed gives the same draws
	Stop          bool   `json:"stop"`                // ends a reply at a given text
	MaxTokens     bool   `json:"max_tokens"`          // ends a reply at a given length
	Usage         bool   `json:"usage"`               // counts tokens
	Logprobs      int    `json:"logprobs"`            // most alternatives with each generated token; 0: no log-probabilities
	Continuations bool   `json:"continuations"`       // exact log-probabilities of a given continuation
	TokenIDs      bool   `json:"token_ids,omitempty"` // a served model's tokens are named by their numbers in its vocabulary
	Walks         bool   `json:"walks"`               // those of a continuation by asking for one token at a time, as far as the alternatives go
	Digest        bool   `json:"digest"`              // the weights are identified
	Unload        bool   `json:"unload"`              // the memory can be freed
	Think         bool   `json:"think"`               // reasons before it answers, when told to, and does not when told not to
	ThinkBy       string `json:"think_by,omitempty"`  // how the server is told whether to; empty: as its API has it

	Ignores []Ignored `json:"ignores,omitempty"` // options of the plan that the server does not take
}

// String lists what the provider can do, for people.
func (c Capabilities) String() string {
	var list []string
	for _, can := range []struct {
		is   bool
		name string
	}{
		{c.Raw, "raw"}, {c.Chat, "chat"}, {c.Seed, "seed"}, {c.Stop, "stop"}, {c.MaxTokens, "num_predict"}, {c.Usage, "token counts"},
		{c.Logprobs > 0, fmt.Sprintf("logprobs of %d", c.Logprobs)}, {c.Continuations, "exact continuations"}, {c.TokenIDs, "tokens by number"}, {c.Walks, "walked continuations"},
		{c.Think, "think"}, {c.Digest, "digest"}, {c.Unload, "unload"},
	} {
		if can.is {
			list = append(list, can.name)
		}
	}
	return strings.Join(list, ", ")
}

// Ignored is an option that a server does not take from a request.
type Ignored struct {
	Option string `json:"option"` // with its value, such as repeat_penalty 1
	Cure   string `json:"cure"`
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
	list := []need{
		{"log-probabilities (likelihood.answers)", !stated(l.Answers, false) || has.canProbe(), without},
		{"log-probabilities (likelihood.choice)", !stated(l.Choice, false) || has.canProbe(), without},
		{"log-probabilities (likelihood.fidelity)", stated(l.FidelityTokens, 0) == 0 || has.canProbe(), without},
		{"raw completion", !g.Raw || has.Raw, "set generation.raw: false"},
		{"a prompt template (generation.raw: false)", g.Raw || has.Chat, "set generation.raw: true"},
		{"a system message without a chat (prompt.system with raw: true)", m.Prompting.System == "" || !g.Raw, "set generation.raw: false, or put the text into prompt.template"},
		{"reasoning without a chat (generation.think with raw: true)", g.Think == nil || !g.Raw, "set generation.raw: false, or leave generation.think out"},
		{"reasoning as generation.think says", g.Think == nil || g.Raw || has.Think, "leave generation.think out: the server decides by itself"},
		{"replies of at most num_predict tokens", has.MaxTokens, "use another server: every reply would run on to its own end"},
		{"an end at generation.stop", len(g.Stop) == 0 || has.Stop, "leave generation.stop out"},
		{"a seed for its draws (temperature above 0)", g.Temperature == 0 || has.Seed, "set generation.temperature: 0"},
	}
	for _, i := range has.Ignores {
		list = append(list, need{name: i.Option, cure: i.Cure})
	}
	return list
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

// Stated reports whether the plan itself asks for probabilities, so that a model
// which cannot give them is refused rather than left without.
func (l Likelihood) Stated() bool {
	return stated(l.Answers, false) || stated(l.Choice, false) || stated(l.FidelityTokens, 0) > 0
}

// LacksLikelihood is the refusal of a model that says why it gives no
// probabilities.
func LacksLikelihood(m Model, why string) error {
	return &CapabilityError{Model: m, Lacks: []string{"log-probabilities (likelihood): " + why}, Cures: []string{"set likelihood: off"}}
}

// Check refuses a plan whose resolved models cannot do what it asks of them, or
// that has too few examples.
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
		if err := p.checkShots(m); err != nil {
			return err
		}
	}
	return nil
}
