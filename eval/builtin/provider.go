package builtin

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/disteval/disteval/eval"
)

// Provider gives access to the models inside the program and to GGUF files of
// this machine. It is an eval.Provider.
type Provider struct{}

// capabilities of every model that runs here.
var capabilities = eval.Capabilities{Raw: true, Seed: true, Stop: true, MaxTokens: true, Usage: true, Continuations: true, Logprobs: 20, Digest: true, Unload: true}

// Resolve fills in what the files say of the models, without loading weights.
func (Provider) Resolve(_ context.Context, models []eval.Model) ([]eval.Model, error) {
	out := make([]eval.Model, len(models))
	for i, m := range models {
		m.Model = beside(m.Dir, m.Model)
		described, err := Describe(m)
		var few *eval.ContextError
		var hinted interface{ Hint() string }
		switch {
		case errors.As(err, &few):
			return nil, err
		case errors.As(err, &hinted):
			return nil, eval.BadInput(err, hinted.Hint())
		case err != nil:
			return nil, eval.BadInput(err, "the models inside the program are "+strings.Join(Names(), ", ")+"; a file must be a LLaMA GGUF in F32, F16, BF16 or Q8_0")
		}
		out[i] = described
	}
	return out, nil
}

// beside is the path of a model's file that a models file in dir names; the
// name of a miniature stays as it is.
func beside(dir, model string) string {
	if !strings.EqualFold(filepath.Ext(model), ".gguf") || filepath.IsAbs(model) || dir == "" || dir == "." {
		return model
	}
	return filepath.Join(dir, model)
}

// Open returns the generator of a resolved model.
func (Provider) Open(m eval.Model) (eval.Generator, error) { return NewGenerator(m) }

// Describe fills in what the file says of model m, without loading weights.
func Describe(m eval.Model) (eval.Model, error) {
	llm, err := Open(m.Model)
	if err != nil {
		return m, fmt.Errorf("check model %s: %w", m.Name, err)
	}
	info := llm.Info()
	m.Digest, m.ProviderVersion, m.Capabilities = info.Digest, engineVersion, capabilities
	m.Parameters, m.Quantization = countOf(info.Parameters), info.Quantization
	m.ContextLength, m.SizeBytes = info.ContextLength, info.SizeBytes
	if Miniature(m.Model) {
		m.Notice = notice
	}
	if m.Generation.NumCtx > info.ContextLength {
		return m, &eval.ContextError{Model: m, Has: info.ContextLength}
	}
	return m, nil
}
