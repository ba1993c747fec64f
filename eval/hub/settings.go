package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

const maxSettings = 64 << 20 // bytes of one JSON file beside the weights; a tokenizer.json has up to 20 MB

// ForOllama gives the files of a model as Ollama's own converter can take them.
// It rewrites, in the cache, what that stumbles over or passes by: additional
// special tokens as plain texts, at which Ollama 0.17.4 panics and takes its
// server down, and a chat template in a file of its own, which it does not read.
func (c *Client) ForOllama(ctx context.Context, m Model, tell Progress) ([]File, error) {
	files := m.Files
	var out []File
	template := ""
	if at := slices.IndexFunc(files, func(f File) bool { return f.Name == templateFile }); at >= 0 {
		text, err := readSettings(files[at].Path)
		if err != nil {
			return nil, err
		}
		template = string(text)
	}
	for _, f := range files {
		var change func(map[string]json.RawMessage) (bool, error)
		switch f.Name {
		case templateFile:
			continue
		case "special_tokens_map.json":
			change = spellOut
		case "tokenizer_config.json":
			change = func(m map[string]json.RawMessage) (bool, error) { return addTemplate(m, template) }
		}
		if change != nil {
			var err error
			if f, err = c.rewritten(ctx, f, change, tell); err != nil {
				return nil, err
			}
		}
		out = append(out, f)
	}
	return out, nil
}

// rewritten is the file as change leaves it; the name in the cache is its hash.
func (c *Client) rewritten(ctx context.Context, f File, change func(map[string]json.RawMessage) (bool, error), tell Progress) (File, error) {
	text, err := readSettings(f.Path)
	if err != nil {
		return File{}, err
	}
	doing := "read " + f.Path
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		return File{}, &Error{doing, err, "get the file again, or name another source"}
	}
	changed, err := change(object)
	if err != nil {
		return File{}, &Error{doing, err, "correct the file, or name another source"}
	}
	if !changed {
		return f, nil
	}
	if text, err = json.Marshal(object); err != nil {
		return File{}, &Error{doing, err, "correct the file, or name another source"}
	}
	dir := filepath.Join(c.cache, "converted")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return File{}, fmt.Errorf("make the cache folder: %w", err)
	}
	dest := filepath.Join(dir, f.SHA256+filepath.Ext(f.Name))
	err = store(ctx, "rewrite "+f.Path, dest, func(w io.Writer) error { _, err := w.Write(text); return err })
	if err != nil {
		return File{}, err
	}
	return check(ctx, dest, remote{name: f.Name, size: -1}, tell)
}

// spellOut turns additional special tokens that are plain texts into objects.
func spellOut(m map[string]json.RawMessage) (changed bool, err error) {
	const key = "additional_special_tokens"
	var tokens []json.RawMessage
	if m[key] == nil || json.Unmarshal(m[key], &tokens) != nil {
		return false, nil // null, or no list: Ollama passes it by
	}
	for i, t := range tokens {
		switch t = bytes.TrimSpace(t); {
		case len(t) > 0 && t[0] == '"':
			tokens[i] = slices.Concat([]byte(`{"content":`), t, []byte(`}`))
			changed = true
		case len(t) > 0 && t[0] != '{':
			return false, fmt.Errorf("%s holds %.40s, which is not a token", key, t)
		}
	}
	if changed {
		m[key], err = json.Marshal(tokens)
	}
	return changed, err
}

// addTemplate states the chat template where Ollama looks for it.
func addTemplate(m map[string]json.RawMessage, template string) (changed bool, err error) {
	if _, stated := m["chat_template"]; stated || template == "" {
		return false, nil
	}
	m["chat_template"], err = json.Marshal(template)
	return err == nil, err
}

// readSettings reads a text file beside the weights.
func readSettings(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSettings+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(text) > maxSettings {
		return nil, &Error{"read " + path, errors.New("it is longer than 64 MB"), "name another source"}
	}
	return text, nil
}
