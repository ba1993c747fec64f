package ollama

import (
	"context"
	"slices"

	"github.com/ollama/ollama/api"
	"github.com/ollama/ollama/types/model"

	"github.com/disteval/disteval/eval"
)

// Survey is what a server has, of whatever use.
type Survey struct {
	Address    string // without credentials
	Version    string
	Models     []eval.Model // that answer, in the server's order
	Embeddings []string     // models that only make vectors
	Others     []OtherModel // that are not for a comparison
}

// OtherModel is a model that cannot be asked, and why.
type OtherModel struct{ Name, Why string }

// Survey looks at the server at OLLAMA_HOST. A server that does not answer is an
// error; a model that it cannot describe is not.
func (p *Provider) Survey(ctx context.Context) (Survey, error) {
	c, err := p.Client("")
	if err != nil {
		return Survey{}, err
	}
	s := Survey{Address: c.base.String()}
	if s.Version, err = c.Version(ctx); err != nil {
		return s, err
	}
	list, err := c.list(ctx)
	if err != nil {
		return s, err
	}
	for _, entry := range list {
		if entry.RemoteHost != "" {
			s.Others = append(s.Others, OtherModel{entry.Name, "it answers on " + entry.RemoteHost + ": its weights and its energy are not here"})
			continue
		}
		m, can, err := c.look(ctx, entry)
		switch {
		case err != nil:
			s.Others = append(s.Others, OtherModel{entry.Name, err.Error()})
		case len(can) == 0 || slices.Contains(can, model.CapabilityCompletion):
			s.Models = append(s.Models, m) // older servers do not say what a model can
		case slices.Contains(can, model.CapabilityEmbedding):
			s.Embeddings = append(s.Embeddings, entry.Name)
		default:
			s.Others = append(s.Others, OtherModel{entry.Name, "it does not complete texts"})
		}
	}
	return s, nil
}

func (c *Client) list(ctx context.Context) ([]api.ListModelResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, detailTimeout)
	defer cancel()
	list, err := c.api.List(ctx)
	if err != nil {
		return nil, c.serverError("its models", err)
	}
	return list.Models, nil
}

// look asks for one model's size, positions and capabilities.
func (c *Client) look(ctx context.Context, entry api.ListModelResponse) (eval.Model, []model.Capability, error) {
	ctx, cancel := context.WithTimeout(ctx, detailTimeout)
	defer cancel()
	m := eval.Model{Name: entry.Name, Provider: eval.ProviderOllama, Model: entry.Name, Digest: entry.Digest, SizeBytes: entry.Size}
	show, err := c.api.Show(ctx, &api.ShowRequest{Model: entry.Name})
	if err != nil {
		return m, nil, c.serverError("what it knows of model "+entry.Name, err)
	}
	m.Parameters, m.Quantization = show.Details.ParameterSize, show.Details.QuantizationLevel
	m.ContextLength = contextLength(show.ModelInfo)
	return m, show.Capabilities, nil
}
