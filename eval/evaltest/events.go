package evaltest

import (
	"encoding/json"
	"maps"
	"strings"
)

// events writes the events of one stream. It is a protocol.
type events struct {
	question asked
	shape    Shape
	reason   string
}

// event is one event with one choice, or without any where choice is nil.
func (e events) event(choice, more map[string]any) string {
	m := map[string]any{"id": "x", "object": "chunk", "model": e.question.Model, "choices": []any{}}
	if choice != nil {
		choice = maps.Clone(choice)
		if _, ok := choice["finish_reason"]; !ok {
			choice["finish_reason"] = nil
		}
		choice["index"] = 0
		choices := []any{choice}
		if e.shape.Choices {
			choices = append(choices, map[string]any{"index": 1, "text": "other"})
		}
		m["choices"] = choices
	}
	maps.Copy(m, more)
	b, _ := json.Marshal(m)
	out := "data: " + string(b) + "\n\n"
	if e.shape.Comments {
		out = ": keep-alive\n\n" + out
	}
	if e.shape.CRLF {
		out = strings.ReplaceAll(out, "\n", "\r\n")
	}
	return out
}

func (e events) token(text string, logprobs any) string {
	if e.question.chat {
		return e.event(map[string]any{"delta": map[string]string{"content": text}, "logprobs": logprobs}, nil)
	}
	return e.event(map[string]any{"text": text, "logprobs": logprobs}, nil)
}

func (e events) piece(text string) string { return e.token(text, nil) }

func (e events) failure(message string) string {
	return e.event(nil, map[string]any{"error": map[string]string{"message": message}})
}

func (e events) end(tokens int) string {
	last := map[string]any{"text": "", "finish_reason": "stop"}
	switch e.reason {
	case "":
	case "null":
		last["finish_reason"] = nil
	default:
		last["finish_reason"] = e.reason
	}
	out := e.event(last, nil)
	if !e.shape.NoUsage {
		prompt := len(strings.Fields(e.question.Prompt.text))
		if e.shape.Template {
			prompt += 10
		}
		out += e.event(nil, map[string]any{"usage": map[string]int{"prompt_tokens": prompt, "completion_tokens": tokens}})
	}
	if e.shape.NoDone {
		return out
	}
	return out + "data: [DONE]\n\n"
}

func (e events) by(model string) protocol {
	e.question.Model = model
	return e
}
