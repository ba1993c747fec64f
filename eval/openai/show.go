package openai

import (
	"context"
	"strings"
)

// shown is what Ollama's own API tells of a model.
type shown struct {
	Template string `json:"template"`
	Settings string `json:"parameters"` // a line each: name, spaces, value
	Details  struct {
		ParameterSize     string `json:"parameter_size"`
		QuantizationLevel string `json:"quantization_level"`
	} `json:"details"`
}

// parameters lists the settings by name; of a repeated one the last.
func (s shown) parameters() map[string]string {
	set := make(map[string]string)
	for line := range strings.Lines(s.Settings) {
		if fields := strings.Fields(line); len(fields) >= 2 {
			set[fields[0]] = fields[1]
		}
	}
	return set
}

func (c *client) show(ctx context.Context, model string) (shown, error) {
	var s shown
	err := c.post(ctx, "/api/show", map[string]string{"model": model}, &s)
	return s, err
}
