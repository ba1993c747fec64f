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
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const templateFile = "chat_template.jinja" // where newer writers keep the chat template

// beside lists what a converter reads beside the weights.
var beside = []string{"config.json", "generation_config.json", "special_tokens_map.json", "added_tokens.json", "tokenizer.json", "tokenizer.model",
	"tokenizer_config.json", templateFile}

var (
	shardPattern = regexp.MustCompile(`^(model|pytorch_model)-(\d{5})-of-(\d{5})\.(safetensors|bin)$`)
	ggufPattern  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*\.gguf$`)
)

// choose picks the files of one model among all names of a repository or
// folder. Safetensors go before a checkpoint, which must be converted, and
// both before a GGUF file.
func choose(names []string) ([]string, error) {
	names = slices.Sorted(slices.Values(names))
	weights, err := weightsOf(names)
	if err != nil {
		return nil, err
	}
	if ggufPattern.MatchString(weights[0]) {
		return weights, nil
	}
	chosen := weights
	for _, name := range append([]string{indexOf(weights[0])}, beside...) {
		if slices.Contains(names, name) {
			chosen = append(chosen, name)
		}
	}
	switch {
	case !slices.Contains(chosen, "config.json"):
		return nil, errors.New("there is no config.json beside the weights")
	case !slices.Contains(chosen, "tokenizer.json") && !slices.Contains(chosen, "tokenizer.model"):
		return nil, errors.New("there is neither tokenizer.json nor tokenizer.model, of which Ollama needs one")
	}
	return chosen, nil
}

func weightsOf(names []string) ([]string, error) {
	for _, form := range []struct{ stem, suffix string }{{"model", ".safetensors"}, {"pytorch_model", ".bin"}} {
		if slices.Contains(names, form.stem+form.suffix) {
			return []string{form.stem + form.suffix}, nil
		}
		shards, err := shardsOf(names, form.stem, form.suffix)
		if err != nil || len(shards) > 0 {
			return shards, err
		}
	}
	var gguf []string
	for _, name := range names {
		if ggufPattern.MatchString(name) {
			gguf = append(gguf, name)
		}
	}
	switch {
	case len(gguf) == 1:
		return gguf, nil
	case len(gguf) > 1:
		return nil, fmt.Errorf("there are %d GGUF files (%s and so on): download one and name it as the source", len(gguf), gguf[0])
	}
	return nil, errors.New("there is no model.safetensors, pytorch_model.bin or .gguf file")
}

// shardsOf returns the numbered files of a model, all of them or none.
func shardsOf(names []string, stem, suffix string) ([]string, error) {
	var shards []string
	total := 0
	for _, name := range names {
		m := shardPattern.FindStringSubmatch(name)
		if m == nil || m[1] != stem || "."+m[4] != suffix {
			continue
		}
		of, _ := strconv.Atoi(m[3]) // five digits
		if total != 0 && of != total {
			return nil, fmt.Errorf("there are %s files of %d and of %d parts", stem, total, of)
		}
		total = of
		shards = append(shards, name)
	}
	for i := range total {
		want := fmt.Sprintf("%s-%05d-of-%05d%s", stem, i+1, total, suffix)
		if i >= len(shards) || shards[i] != want {
			return nil, fmt.Errorf("%s is missing", want)
		}
	}
	return shards, nil
}

// Get brings the files of a hub's repository here. Weights that are only
// there as a PyTorch checkpoint are converted.
func (c *Client) Get(ctx context.Context, ref Ref, tell Progress) (Model, error) {
	commit, all, err := c.list(ctx, ref)
	if err != nil {
		return Model{}, err
	}
	byName := make(map[string]remote, len(all))
	var names []string
	for _, f := range all {
		byName[f.name] = f
		names = append(names, f.name)
	}
	chosen, err := choose(names)
	if err != nil {
		return Model{}, &Error{"choose the files of " + ref.String(), err, "name another repository, a folder or a .gguf file as source"}
	}
	var files []File
	for _, name := range chosen {
		f, err := c.download(ctx, ref, commit, byName[name], tell)
		if err != nil {
			return Model{}, err
		}
		files = append(files, f)
	}
	m, err := c.finish(ctx, files, tell)
	m.Others = others(names, chosen)
	return m, err
}

// others lists files of weights that were not chosen.
func others(names, chosen []string) (out []string) {
	for _, name := range names {
		switch strings.ToLower(filepath.Ext(name)) {
		case ".safetensors", ".bin", ".gguf", ".pth", ".pt", ".ckpt":
			if !slices.Contains(chosen, name) && !strings.HasPrefix(name, "training_args") {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// Local takes the files of a folder, or one GGUF file.
func (c *Client) Local(ctx context.Context, path string, tell Progress) (Model, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Model{}, &Error{"read the source", err, "name a folder with config.json, weights and tokenizer, or a .gguf file; relative to the models file"}
	}
	dir, chosen, names := filepath.Dir(path), []string{filepath.Base(path)}, []string(nil)
	if !info.IsDir() && !strings.HasSuffix(path, ".gguf") {
		return Model{}, &Error{"read the source " + path, errors.New("it is neither a folder nor a .gguf file"), "name the folder that holds it"}
	}
	if info.IsDir() {
		dir = path
		entries, err := os.ReadDir(path)
		if err != nil {
			return Model{}, fmt.Errorf("read the source folder: %w", err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		if chosen, err = choose(names); err != nil {
			return Model{}, &Error{"choose the files of " + path, err, "name a folder with config.json, weights and tokenizer, or a .gguf file"}
		}
		if err := within(dir, chosen); err != nil {
			return Model{}, err
		}
	}
	var files []File
	for _, name := range chosen {
		f, err := check(ctx, filepath.Join(dir, name), remote{name: name, size: -1}, tell)
		if err != nil {
			return Model{}, err
		}
		files = append(files, f)
	}
	m, err := c.finish(ctx, files, tell)
	m.Others = others(names, chosen)
	return m, err
}

// within refuses a file of a folder that is a link to elsewhere: what it leads
// to would be sent to a server. The one exception is the hub's own cache, whose
// snapshots/COMMIT/FILE leads to blobs/HASH beside snapshots.
func within(dir string, names []string) error {
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return fmt.Errorf("read the source folder: %w", err)
	}
	blobs := ""
	if up := filepath.Dir(root); filepath.Base(up) == "snapshots" {
		blobs = filepath.Join(filepath.Dir(up), "blobs")
	}
	for _, name := range names {
		target, err := filepath.EvalSymlinks(filepath.Join(dir, name))
		if err != nil {
			return &Error{"read " + filepath.Join(dir, name), err, "get the file again"}
		}
		if parent := filepath.Dir(target); parent != root && (blobs == "" || parent != blobs) {
			return &Error{"read " + filepath.Join(dir, name), fmt.Errorf("it is a link to %s, outside the folder", target),
				"put the file itself into the folder if it belongs to the model"}
		}
	}
	return nil
}

// finish converts what Ollama cannot take as it is, and reads the number of
// positions.
func (c *Client) finish(ctx context.Context, files []File, tell Progress) (Model, error) {
	var m Model
	var index *File
	holder := make(map[string]string)  // of each tensor's name: its file
	headers := make(map[string]header) // by file, as they were
	for _, f := range files {
		if isIndex(f.Name) {
			index = &f
			continue
		}
		if err := notPointer(f.Path); err != nil {
			return Model{}, err
		}
		switch {
		case strings.HasSuffix(f.Name, ".bin"):
			was := f.Name
			var err error
			if f, err = c.converted(ctx, f, Convert, tell); err != nil {
				return Model{}, err
			}
			if headers[was], err = checkSafetensors(f, holder); err != nil {
				return Model{}, err
			}
		case strings.HasSuffix(f.Name, ".safetensors"):
			header, err := checkSafetensors(f, holder)
			headers[f.Name] = header
			if err == nil && header.rotary() {
				f, err = c.converted(ctx, f, dropRotary, tell)
			}
			if err != nil {
				return Model{}, err
			}
		case strings.HasSuffix(f.Name, ".gguf"):
			if err := checkGGUF(f); err != nil {
				return Model{}, err
			}
			f.Name = "model.gguf"
		case f.Name == "config.json":
			var err error
			if m.Positions, err = positions(f.Path); err != nil {
				return Model{}, err
			}
		}
		m.Files = append(m.Files, f)
	}
	if index != nil {
		m.Index = checkIndex(*index, shardsHeld(headers))
	}
	return m, nil
}

// notPointer refuses a file that a clone without Git LFS has left.
func notPointer(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	defer f.Close()
	head := make([]byte, 64)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if bytes.HasPrefix(head[:n], []byte("version https://git-lfs")) {
		return &Error{"read " + path, errors.New("it is a Git LFS pointer, a few lines of text in the place of the file"),
			"run `git lfs pull` in its repository, or download the file itself"}
	}
	return nil
}

func checkGGUF(file File) error {
	f, err := os.Open(file.Path)
	if err != nil {
		return fmt.Errorf("read %s: %w", file.Path, err)
	}
	defer f.Close()
	magic := make([]byte, 4)
	if _, err := io.ReadFull(f, magic); err != nil || string(magic) != "GGUF" {
		return &Error{"read " + file.Path, fmt.Errorf("not a GGUF file: it starts with %q", magic), "name a GGUF file"}
	}
	return nil
}

// positions reads max_position_embeddings; 0 where it is not stated.
func positions(path string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("read config.json: %w", err)
	}
	defer f.Close()
	var config struct {
		Positions int `json:"max_position_embeddings"`
	}
	if err := json.NewDecoder(io.LimitReader(f, 1<<20)).Decode(&config); err != nil {
		return 0, &Error{"read " + path, err, "the repository or folder holds a damaged config.json: name another"}
	}
	return max(0, config.Positions), nil
}
