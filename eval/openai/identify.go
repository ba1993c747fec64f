package openai

import (
	"context"
	"fmt"
	"strings"

	"github.com/disteval/disteval/eval"
)

// modelList is the answer of /v1/models.
type modelList struct {
	Data []struct {
		ID          string `json:"id"`
		OwnedBy     string `json:"owned_by"`
		MaxModelLen int    `json:"max_model_len"` // vLLM: the context
	} `json:"data"`
	server string // the Server header
}

func (c *client) models(ctx context.Context) (modelList, error) {
	var list modelList
	header, err := c.get(ctx, "models", &list)
	if err != nil {
		return list, c.serverError("its models", err)
	}
	list.server = header.Get("Server")
	return list, nil
}

func (l modelList) has(name string) bool {
	for _, m := range l.Data {
		if sameModel(m.ID, name) {
			return true
		}
	}
	return false
}

// sameModel reports whether a server that says said means the model that is
// called name: Ollama writes out the tag that it assumes.
func sameModel(said, name string) bool { return said == name || said == name+":latest" }

// identity is what a server says of itself.
type identity struct {
	version  string // for reports and the plan's hash
	numCtx   int    // positions that a request has; 0: not stated
	ollama   bool   // its own API can be asked what a model is set to
	template string // what the model's prompts are put into; empty: not stated
}

// identify asks the calls in which each kind of server tells its version. What
// none answers is named by its header and by who owns its models.
func (c *client) identify(ctx context.Context, list modelList) identity {
	var props struct {
		BuildInfo string `json:"build_info"`
		ModelPath string `json:"model_path"`
		Settings  struct {
			NumCtx int `json:"n_ctx"`
		} `json:"default_generation_settings"`
		ChatTemplate string `json:"chat_template"`
	}
	if _, err := c.get(ctx, "/props", &props); err == nil && props.BuildInfo != "" {
		return identity{version: fmt.Sprintf("llama.cpp %s, %s", props.BuildInfo, props.ModelPath), numCtx: props.Settings.NumCtx, template: props.ChatTemplate}
	}
	var v struct {
		Version string `json:"version"`
	}
	if _, err := c.get(ctx, "/api/version", &v); err == nil && v.Version != "" {
		return identity{version: "ollama " + v.Version, ollama: true}
	}
	owner := ""
	if len(list.Data) > 0 {
		owner = list.Data[0].OwnedBy
	}
	if _, err := c.get(ctx, "/version", &v); err == nil && v.Version != "" {
		return identity{version: strings.TrimSpace(owner + " " + v.Version)}
	}
	var parts []string
	for _, p := range []struct{ what, is string }{{"server", list.server}, {"models of", owner}} {
		if p.is != "" {
			parts = append(parts, p.what+" "+eval.Excerpt([]byte(p.is)))
		}
	}
	if parts == nil {
		return identity{version: "a server that does not say what it is"}
	}
	return identity{version: strings.Join(parts, ", ")}
}
