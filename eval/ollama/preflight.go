package ollama

import (
	"context"
	"fmt"
	"strings"

	"github.com/ollama/ollama/api"

	"github.com/disteval/disteval/eval"
)

// MissingModelsError names models that a server does not have.
type MissingModelsError struct {
	Address string
	Models  []eval.Model
	Have    []string // what the server has
}

func (e *MissingModelsError) Error() string {
	names := make([]string, len(e.Models))
	for i, m := range e.Models {
		names[i] = fmt.Sprintf("%s (%s)", m.Model, m.Name)
	}
	have := "it has no models"
	if len(e.Have) > 0 {
		have = "it has " + strings.Join(e.Have, ", ")
	}
	return fmt.Sprintf("find models at %s: missing %s; %s", e.Address, strings.Join(names, ", "), have)
}

// Hint names the command that gets each missing model.
func (e *MissingModelsError) Hint() string {
	lines := []string{"disteval models pull --models FILE gets them all, or by hand:"}
	for _, m := range e.Models {
		if m.Source == "" || strings.HasPrefix(m.Source, "ollama://") {
			lines = append(lines, "ollama pull "+m.Model)
		} else {
			lines = append(lines, "(from "+m.Source+": only by disteval models pull)")
		}
	}
	return strings.Join(lines, "\n")
}

// Resolve fills in what the server knows of the models: digest, size,
// context length, template. All models must be of this client's server. A
// missing model is a *MissingModelsError, one with too few positions a
// *eval.ContextError.
func (c *Client) Resolve(ctx context.Context, models []eval.Model) ([]eval.Model, error) {
	version, err := c.Version(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, detailTimeout)
	defer cancel()
	list, err := c.api.List(ctx)
	if err != nil {
		return nil, c.serverError("its models", err)
	}
	missing := &MissingModelsError{Address: c.base.String()}
	byName := make(map[string]api.ListModelResponse)
	for _, m := range list.Models {
		byName[fullName(m.Name)] = m
		missing.Have = append(missing.Have, m.Name)
	}
	out := make([]eval.Model, 0, len(models))
	for _, m := range models {
		entry, ok := byName[fullName(m.Model)]
		if !ok {
			missing.Models = append(missing.Models, m)
			continue
		}
		m, err := c.describe(ctx, m, entry)
		if err != nil {
			return nil, err
		}
		m.Host, m.ProviderVersion, m.Capabilities = c.base.String(), "ollama "+version, capabilities
		out = append(out, m)
	}
	if len(missing.Models) > 0 {
		return nil, missing
	}
	return out, nil
}

// Names lists the models that the server has.
func (c *Client) Names(ctx context.Context) ([]string, error) {
	if _, err := c.Version(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, detailTimeout)
	defer cancel()
	list, err := c.api.List(ctx)
	if err != nil {
		return nil, c.serverError("its models", err)
	}
	var names []string
	for _, m := range list.Models {
		names = append(names, m.Name)
	}
	return names, nil
}

// capabilities of every model of a server.
var capabilities = eval.Capabilities{Raw: true, Chat: true, Seed: true, Digest: true, Unload: true}

func (c *Client) describe(ctx context.Context, m eval.Model, entry api.ListModelResponse) (eval.Model, error) {
	show, err := c.api.Show(ctx, &api.ShowRequest{Model: m.Model})
	if err != nil {
		return m, c.serverError("what it knows of model "+m.Model, err)
	}
	m.Digest, m.SizeBytes = entry.Digest, entry.Size
	m.Parameters, m.Quantization = show.Details.ParameterSize, show.Details.QuantizationLevel
	m.ContextLength = contextLength(show.ModelInfo)
	if !m.Generation.Raw {
		m.Template = show.Template
	}
	if m.ContextLength > 0 && m.Generation.NumCtx > m.ContextLength {
		return m, &eval.ContextError{Model: m, Has: m.ContextLength}
	}
	return m, nil
}

// contextLength reads ARCH.context_length; 0 where the model does not say.
func contextLength(info map[string]any) int {
	arch, _ := info["general.architecture"].(string)
	n, _ := info[arch+".context_length"].(float64)
	return int(n)
}

// fullName adds the tag that Ollama assumes.
func fullName(name string) string {
	last := name[strings.LastIndexByte(name, '/')+1:]
	if !strings.Contains(last, ":") {
		name += ":latest"
	}
	return strings.ToLower(name)
}

// Loaded reports whether the server has model m in its memory.
func (c *Client) Loaded(ctx context.Context, m eval.Model) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, detailTimeout)
	defer cancel()
	list, err := c.api.ListRunning(ctx)
	if err != nil {
		return false, fmt.Errorf("list loaded models at %s: %w", c.base, plain(err))
	}
	for _, r := range list.Models {
		if fullName(r.Name) == fullName(m.Model) {
			return true, nil
		}
	}
	return false, nil
}
