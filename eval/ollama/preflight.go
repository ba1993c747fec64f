package ollama

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/ollama/ollama/api"
	"github.com/ollama/ollama/types/model"

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
	chat := c.hasChat(ctx)
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
		m.Host, m.ProviderVersion = c.base.String(), "ollama "+version
		m.API = eval.APICompletions
		if !m.Generation.Raw && chat {
			m.API = eval.APIChat
		}
		if m.Generation.Raw && c.Tokenizer != nil && !olderThan(version, givesLogprobs) {
			m.Capabilities.Logprobs, m.Capabilities.Walks = mostAlternatives, true
		}
		m.Notice = notice(m, version)
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
	list, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, m := range list {
		names = append(names, m.Name)
	}
	return names, nil
}

// hasChat reports whether the server has /api/chat: to a request without a
// body it then says what is wrong with it. Servers that are like Ollama need
// not; their /api/generate puts a prompt through the template as well.
func (c *Client) hasChat(ctx context.Context) bool {
	err := c.api.Chat(ctx, &api.ChatRequest{}, func(api.ChatResponse) error { return nil })
	var status *eval.StatusError
	return errors.As(err, &status) && status.Code == http.StatusBadRequest
}

// keepsPrompts is the first version that knows truncate: false.
var keepsPrompts = []int{0, 12, 6}

// givesLogprobs is the first version that gives log-probabilities.
var givesLogprobs = []int{0, 12, 11}

// notice is what reports must say of m.
func notice(m eval.Model, version string) string {
	var list []string
	if olderThan(version, keepsPrompts) {
		list = append(list, fmt.Sprintf("%s: ollama %s is too old to refuse a prompt that does not fit num_ctx %d: it cuts it in silence and answers the rest; 0.12.6 does",
			m.Name, version, m.Generation.NumCtx))
	}
	if !m.Generation.Raw && m.API == eval.APICompletions {
		list = append(list, fmt.Sprintf("%s: the server has no /api/chat; it was asked through /api/generate, which puts the prompt into the model's template too", m.Name))
	}
	return strings.Join(list, "; ")
}

// olderThan compares the leading numbers of a version; one without is not old,
// nor is 0.0.0, which a developer's own build calls itself.
func olderThan(version string, than []int) bool {
	if version == "0.0.0" {
		return false
	}
	for i, part := range strings.SplitN(version, ".", len(than)) {
		digits := part[:len(part)-len(strings.TrimLeft(part, "0123456789"))]
		n, err := strconv.Atoi(digits)
		if err != nil {
			return false
		}
		if n != than[i] {
			return n < than[i]
		}
	}
	return false
}

func (c *Client) describe(ctx context.Context, m eval.Model, entry api.ListModelResponse) (eval.Model, error) {
	show, err := c.api.Show(ctx, &api.ShowRequest{Model: m.Model})
	if err != nil {
		return m, c.serverError("what it knows of model "+m.Model, err)
	}
	m.Digest, m.SizeBytes = entry.Digest, entry.Size
	m.Parameters, m.Quantization = show.Details.ParameterSize, show.Details.QuantizationLevel
	m.ContextLength = contextLength(show.ModelInfo)
	m.Capabilities = eval.Capabilities{Raw: true, Chat: true, Seed: true, Stop: true, MaxTokens: true, Usage: true, Digest: true, Unload: true,
		Think: slices.Contains(show.Capabilities, model.CapabilityThinking) || m.Generation.Think != nil && !*m.Generation.Think}
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
