package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
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
	ctx, cancel := context.WithTimeout(ctx, detailTimeout)
	defer cancel()
	body, err := json.Marshal(map[string]string{"model": model})
	if err != nil {
		return shown{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.root().JoinPath("/api/show").String(), bytes.NewReader(body))
	if err != nil {
		return shown{}, err
	}
	resp, err := c.server.Control().Do(req)
	if err != nil {
		return shown{}, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return shown{}, err
	}
	var s shown
	return s, json.Unmarshal(answer, &s)
}
