package eval

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/likelihood"
	"github.com/disteval/disteval/queries"
)

// Prober is a Generator whose loaded model also gives the probabilities of
// texts that it did not write.
type Prober interface {
	// Probe looks at all texts of a request. An error that is a *Failure is the
	// probe's outcome; ctx.Err() means interrupted.
	Probe(ctx context.Context, r ProbeRequest) (ProbeReply, error)
}

// ProbeRequest is what a Prober is asked about one query.
type ProbeRequest struct {
	Prompt    string    `json:"prompt"`            // as sent, after template and examples
	Texts     []string  `json:"texts,omitempty"`   // each right after the prompt, as it stands
	Choices   []string  `json:"choices,omitempty"` // likewise, of which only the one with the fewest bits per byte matters: the others may be cut
	Reply     []Token   `json:"reply,omitempty"`   // of the reference, on which predictions are compared; nil: none are
	Reference Generator `json:"-"`                 // that wrote Reply, loaded; nil where a server runs it
}

// ProbeReply is what it says.
type ProbeReply struct {
	Forms        []likelihood.Form       // one for each text, in order
	Choices      []likelihood.Form       // likewise
	Divergences  []likelihood.Divergence // one for each token of Reply that both models have room for
	Incomparable string                  // why there are no Divergences although Reply was given
	Unable       string                  // why nothing can be said of these texts, or of any other; empty where that is not so
}

// ProbeID names a probe: one query to one model.
type ProbeID struct {
	Model string // Model.Name
	Query string // Query.ID
}

// Probe is the outcome of one probe, as it is stored: before any score.
type Probe struct {
	ProbeID
	Answers      []likelihood.Form       // the keyword, then the aliases; nil where not asked for
	Choices      []likelihood.Form       // the candidates, the right one first, without alternatives; nil where not asked for or there are none
	Divergences  []likelihood.Divergence // from the reference, on its own reply
	Incomparable string                  // why there are none although they were asked for; empty where the reference has not answered either
	Start, End   time.Time
	Failure      *Failure // nil where the probe was answered
	Host         string   // that looked, by name; empty: the machine of the run
	Unable       string   // why the model says nothing of any text, which stands for its other queries too; mostly empty
}

// Likelihood says which probabilities a plan asks for beside the answers. What
// it leaves nil is asked where it costs little: of a model that gives exact
// probabilities everything, of one that must be walked the answers. It does not
// change what is answered, so it is not part of the plan's hash.
type Likelihood struct {
	Answers        *bool `json:"answers,omitempty"`         // how probable the right answer is
	Choice         *bool `json:"choice,omitempty"`          // which answer of the query's category is the most probable
	FidelityTokens *int  `json:"fidelity_tokens,omitempty"` // of the reference's reply, on which predictions are compared; 0: none
}

// LikelihoodOff asks for nothing.
func LikelihoodOff() Likelihood {
	no, none := false, 0
	return Likelihood{Answers: &no, Choice: &no, FidelityTokens: &none}
}

// defaultFidelityTokens is how many tokens of the reference's reply are looked
// at where the plan does not say.
const defaultFidelityTokens = 16

// Probing is what one model of a plan is probed for.
type Probing struct {
	Answers        bool
	Choice         bool
	FidelityTokens int // 0: none
}

// Any reports whether the model is probed at all.
func (p Probing) Any() bool { return p.Answers || p.Choice || p.FidelityTokens > 0 }

// Probing is what a resolved model is probed for: what the plan asks for and
// the model can give.
func (p Plan) Probing(m Model) Probing {
	exact, any := m.Capabilities.Continuations, m.Capabilities.canProbe()
	l, out := p.Likelihood, Probing{}
	out.Answers = any && stated(l.Answers, true)
	out.Choice = any && stated(l.Choice, exact)
	if ref := p.Reference(); ref != nil && ref.Name != m.Name && comparable(*ref, m) {
		n := 0
		if exact {
			n = defaultFidelityTokens
		}
		out.FidelityTokens = stated(l.FidelityTokens, n)
	}
	return out
}

// Unasked reports whether m would be asked how probable the answers are, if it
// could tell.
func (p Plan) Unasked(m Model) bool {
	return stated(p.Likelihood.Answers, true) && !m.Capabilities.canProbe()
}

func stated[T any](v *T, fallback T) T {
	if v == nil {
		return fallback
	}
	return *v
}

// canProbe reports whether the provider gives probabilities of texts, exactly
// or by walking over alternatives.
func (c Capabilities) canProbe() bool { return c.Continuations || c.Walks }

// comparable reports whether two models' predictions can be compared: in one
// process, or by the alternatives that servers name.
func comparable(a, b Model) bool {
	x, y := a.Capabilities, b.Capabilities
	inProcess := !a.Served() && !b.Served() && x.Continuations && y.Continuations
	return a.Provider == b.Provider && (inProcess || x.Walks && y.Walks || x.TokenIDs && y.TokenIDs)
}

// Beside is the model that must be loaded beside m for m to be compared with
// it: the reference, where its predictions are not known by its replies alone;
// nil where there is none.
func (p Plan) Beside(m Model) *Model {
	ref := p.Reference()
	if p.Probing(m).FidelityTokens == 0 || ref.Served() || ref.Capabilities.Walks {
		return nil
	}
	return ref
}

// NotBeside is why m was not compared where that model could not be loaded.
func NotBeside(reference string) string {
	return fmt.Sprintf("%s could not be loaded beside this model", reference)
}

// KeptTokens is how many tokens of m's replies are kept with their
// log-probabilities: those of the reference that others are compared on, or
// that a later run's may be where keeping them costs nothing.
func (p Plan) KeptTokens(m Model) int {
	if m.Role != RoleReference {
		return 0
	}
	if m.Capabilities.Continuations && !m.Served() {
		return stated(p.Likelihood.FidelityTokens, defaultFidelityTokens)
	}
	return p.comparedTokens()
}

// comparedTokens is the most tokens of the reference's replies that a model is
// compared on.
func (p Plan) comparedTokens() (most int) {
	for _, m := range p.Models {
		most = max(most, p.Probing(m).FidelityTokens)
	}
	return most
}

// turns lists the models in the order in which they are asked: the plan's, the
// reference first where others are compared on its replies.
func (p Plan) turns() []Model {
	ref := p.Reference()
	if ref == nil || p.comparedTokens() == 0 {
		return p.Models
	}
	out := []Model{*ref}
	for _, m := range p.Models {
		if m.Name != ref.Name {
			out = append(out, m)
		}
	}
	return out
}

// Continuation is how a form of an answer goes on after a prompt: behind a
// space, unless the prompt ends in one.
func Continuation(prompt, form string) string {
	if len(prompt) > 0 && prompt[len(prompt)-1] == ' ' {
		return form
	}
	return " " + form
}

// ProbeRequest asks for the forms of one query's answer and its candidates,
// which Probe.Fill names.
func (p Plan) ProbeRequest(m Model, q queries.Query) (r ProbeRequest, forms, candidates []string) {
	asks := p.Probing(m)
	if asks.Answers {
		forms = q.Answers()
	}
	if asks.Choice {
		candidates = p.Queries.Candidates(q)
	}
	r.Prompt = p.Request(m, q, 0).Prompt
	for _, f := range forms {
		r.Texts = append(r.Texts, Continuation(r.Prompt, f))
	}
	for _, f := range candidates {
		r.Choices = append(r.Choices, Continuation(r.Prompt, f))
	}
	return r, forms, candidates
}

// NoProbe is why a query has no probabilities, where it has none.
func (p Plan) NoProbe(m Model, probe *Probe) string {
	switch {
	case probe != nil && probe.Failure != nil:
		return fmt.Sprintf("asking for probabilities failed: %v", probe.Failure)
	case !m.Capabilities.canProbe() && !m.Generation.Raw:
		return "there are no log-probabilities of answers in a chat, whose template stands between them and the prompt"
	case !m.Capabilities.canProbe():
		return fmt.Sprintf("provider %s gives no log-probabilities of answers (%s)", m.Provider, cmp.Or(m.ProviderVersion, "no version known"))
	case !p.Probing(m).Any():
		return "not asked for (likelihood in the models file)"
	}
	return "not asked for yet"
}

// LikelihoodScores derives the scores of metrics.Likelihood from what m said of
// q, in their order; probe is nil where it said nothing.
func (r *RunRecord) LikelihoodScores(m Model, q queries.Query, probe *Probe) []metrics.Score {
	if why := r.Unprobed[m.Name]; probe == nil && why != "" {
		return noLikelihood(why)
	}
	p := r.Plan
	if probe == nil || probe.Failure != nil {
		return noLikelihood(p.NoProbe(m, probe))
	}
	scores := noLikelihood("not asked for (likelihood in the models file)")
	if len(probe.Answers) > 0 {
		copy(scores, likelihood.Score(probe.Answers).Scores())
	}
	choice := &scores[len(scores)-1]
	switch {
	case len(probe.Choices) > 0:
		*choice = likelihood.Choose(probe.Choices[0], probe.Choices[1:]).Score
	case p.Probing(m).Choice && q.Category == "":
		choice.Reason = "the query has no category to choose from"
	case p.Probing(m).Choice:
		choice.Reason = "fewer than two candidates in the query's category"
	}
	return scores
}

// noLikelihood are the scores where there is nothing to derive them from.
func noLikelihood(reason string) []metrics.Score {
	out := make([]metrics.Score, 0, len(metrics.Likelihood()))
	for _, m := range metrics.Likelihood() {
		out = append(out, metrics.Score{Metric: m.Name, Status: metrics.Unscored, Reason: reason})
	}
	return out
}
