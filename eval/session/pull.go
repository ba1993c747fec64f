package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/builtin"
	"github.com/disteval/disteval/eval/hub"
	"github.com/disteval/disteval/queries"
)

// Puller gets models into their servers, one after the other.
type Puller struct {
	Providers Providers
	Hub       hub.Config
	Queries   []queries.Query // some of which hold a converted model to its source
	Tell      hub.Progress    // of bytes
	Count     hub.Progress    // of tokens
}

// cheap is the most parameters of a model whose layout is looked at without
// being asked: some seconds.
const cheap = 20_000_000

// Pull gets one model where its server lacks it, and says what it did, a line
// each. byName finds a model of the same plan. The model that a *ChangedError
// is of is there all the same.
func (p *Puller) Pull(ctx context.Context, m eval.Model, byName func(string) eval.Model) (said []string, err error) {
	provider, err := p.Providers.of(m)
	if err != nil {
		return nil, err
	}
	server, ok := provider.(eval.PullingProvider)
	if !ok {
		return p.nothing(ctx, m)
	}
	c, err := server.Library(m)
	if err != nil {
		return nil, err
	}
	digest, there, err := c.Find(ctx, m.Model)
	if err != nil {
		return nil, err
	}
	source, served := strings.CutPrefix(m.Source, "ollama://")
	switch {
	case there:
		digest = strings.TrimPrefix(digest, "sha256:")
		return []string{fmt.Sprintf("%s is there already (%s)", m.Model, digest[:min(len(digest), 12)])}, nil
	case m.Quantize != "":
		return p.quantize(ctx, c, m, byName(m.Base))
	case served || m.Source == "":
		if err := p.byServer(ctx, c, source, m.Model); err != nil {
			return nil, err
		}
		return []string{m.Model + " pulled"}, nil
	}
	return p.create(ctx, c, m)
}

// nothing says why there is nothing to pull.
func (p *Puller) nothing(ctx context.Context, m eval.Model) ([]string, error) {
	if m.Host != "" {
		return []string{fmt.Sprintf("%s is served by %s, nothing to pull", m.Model, m.Provider)}, nil
	}
	if _, err := p.Providers.Resolve(ctx, []eval.Model{m}); err != nil {
		return nil, err
	}
	return []string{m.Model + " runs inside the program, nothing to pull"}, nil
}

// quantize makes a step of a ladder of its base.
func (p *Puller) quantize(ctx context.Context, c eval.Library, m, base eval.Model) ([]string, error) {
	_, there, err := c.Find(ctx, base.Model)
	if err == nil && !there {
		err = eval.WithHint(fmt.Errorf("quantize %s as %s: %s is not there", base.Model, m.Quantize, base.Model), "get it first: what keeps it from being pulled is said above")
	}
	if err == nil {
		err = c.Quantize(ctx, base.Model, m.Model, m.Quantize, eval.PullProgress(p.Tell))
	}
	if err != nil {
		return nil, err
	}
	return []string{fmt.Sprintf("%s made of %s", m.Model, base.Model)}, nil
}

// byServer has the server pull a model, and gives it the plan's name where the
// source has another.
func (p *Puller) byServer(ctx context.Context, c eval.Library, source, name string) error {
	if source == "" {
		source = name
	}
	_, there, err := c.Find(ctx, source)
	if err != nil {
		return err
	}
	if !there {
		if err := c.Pull(ctx, source, eval.PullProgress(p.Tell)); err != nil {
			return err
		}
	}
	if source == name {
		return nil
	}
	return c.Copy(ctx, source, name)
}

// create makes a model of files and holds it to them.
func (p *Puller) create(ctx context.Context, c eval.Library, m eval.Model) (said []string, err error) {
	source := m.Source
	if !strings.Contains(source, "://") && !filepath.IsAbs(source) {
		source = filepath.Join(m.Dir, source)
	}
	files, err := fetch(ctx, p.Hub, source, p.Tell)
	if err != nil {
		return nil, err
	}
	w, err := openModel(source, files)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	made, err := p.convert(ctx, m, w, files)
	if err != nil {
		return nil, err
	}
	defer made.done()
	chat, _ := w.Metadata["tokenizer.chat_template"].(string)
	creation := eval.Creation{Model: m.Model, Files: blobs(made.files), NumCtx: files.Positions, Chat: chat != "" || made.chat}
	if err := c.Create(ctx, creation, eval.PullProgress(p.Tell)); err != nil {
		return nil, err
	}
	said = append([]string{fmt.Sprintf("%s created from %s", m.Model, m.Source)}, made.said...)
	for _, f := range files.Index {
		said = append(said, fmt.Sprintf("warning: %s: %s. To mend it: %s", f.Where, f.What, f.Mend))
	}
	checked, err := p.compare(ctx, m, w, made)
	return append(said, checked...), err
}

func blobs(files []hub.File) (out []eval.Blob) {
	for _, f := range files {
		out = append(out, eval.Blob{Name: f.Name, Path: f.Path, Size: f.Size, SHA256: f.SHA256})
	}
	return out
}

// converted is a model's files as they go to a server.
type converted struct {
	files   []hub.File
	layout  hub.Layout
	rounded bool // matrices of F32 to F16
	chat    bool // there may be a chat template among the files
	said    []string
	done    func() // removes what was made on the way
}

// convert makes one GGUF file of a folder where that can be done here; other
// folders go to Ollama's own converter, and a GGUF file as it is.
func (p *Puller) convert(ctx context.Context, m eval.Model, w *hub.Weights, files hub.Model) (converted, error) {
	out := converted{files: files.Files, done: func() {}}
	if w.GGUF {
		if m.Rope != "" {
			out.said = append(out.said, "rope: "+m.Rope+" is of no effect: a GGUF file has its layout already")
		}
		return out, nil
	}
	h, err := hub.New(p.Hub)
	if err != nil {
		return out, err
	}
	if why := w.Convertible(); why != nil {
		var unsupported *hub.UnsupportedError
		if !errors.As(why, &unsupported) || m.Rope != "" && m.Rope != string(hub.LayoutHF) {
			return out, eval.BadInput(fmt.Errorf("convert %s: %w", m.Source, why), "see what is wrong with it: disteval models doctor "+m.Source)
		}
		out.said = append(out.said, "converted by Ollama, whose converter drops parts of some tokenizers: "+why.Error())
		out.chat = true
		out.files, err = h.ForOllama(ctx, files, p.Tell)
		return out, err
	}
	if out.layout, out.said, err = p.layout(ctx, m, w); err != nil {
		return out, err
	}
	file, rounded, err := h.ToGGUF(ctx, w, out.layout, p.Tell)
	if err != nil {
		return out, err
	}
	out.files, out.rounded = []hub.File{file}, rounded
	out.done = func() { _ = os.Remove(file.Path) } // a temporary file; left behind, it costs room only
	return out, nil
}

// layout is how the folder has its q and k: as models.yaml says, or as the
// doctor's test finds it.
func (p *Puller) layout(ctx context.Context, m eval.Model, w *hub.Weights) (hub.Layout, []string, error) {
	if m.Rope == string(hub.LayoutMeta) || m.Rope == string(hub.LayoutHF) {
		return hub.Layout(m.Rope), nil, nil
	}
	llm, err := engine(w, false)
	if err == nil {
		err = fits(llm.Info().MemoryBytes)
	}
	auto := m.Rope == "auto"
	switch {
	case err != nil && auto:
		return "", nil, eval.BadInput(fmt.Errorf("find the layout of q and k: the built-in engine does not run this model: %s", reason(err)), "say it in models.yaml, rope: hf or rope: meta")
	case err != nil || !auto && llm.Info().Parameters > cheap:
		return hub.LayoutHF, []string{"the layout of q and k is taken for Hugging Face's, unseen: rope: auto, or disteval models doctor " + m.Source + ", tests it"}, nil
	}
	defer llm.Unload()
	t, err := hub.CompareLayouts(ctx, readings(w, llm), Facts(), w.Shape.Vocab, layoutTokens, p.Count)
	if err != nil {
		return "", nil, fmt.Errorf("find the layout of q and k of %s: %w", m.Source, err)
	}
	f, notable := t.Finding("")
	meta := t.Undecided == "" && notable
	switch {
	case meta && auto:
		return hub.LayoutMeta, []string{f.What + "; converted so"}, nil
	case meta:
		return hub.LayoutHF, []string{"warning: " + f.What + ". It was converted as Hugging Face's: set rope: auto, remove the model (ollama rm " + m.Model + ") and pull again"}, nil
	case notable && auto:
		return hub.LayoutHF, []string{f.What + "; taken for Hugging Face's"}, nil
	case auto:
		return hub.LayoutHF, []string{fmt.Sprintf("q and k are in Hugging Face's layout (%.2f bits per byte, %.2f in Meta's)", t.Readings[0].BitsPerByte, t.Readings[1].BitsPerByte)}, nil
	}
	return hub.LayoutHF, nil, nil
}

// original is the source in the built-in engine, as it was converted.
func original(w *hub.Weights, made converted) (*builtin.LLM, error) {
	if w.Llama() && len(made.files) == 1 {
		llm, err := engine(w, made.rounded)
		if err != nil {
			return nil, err
		}
		if made.layout == hub.LayoutMeta {
			llm = llm.WithRotary(builtin.RotaryPairs)
		}
		return llm, fits(llm.Info().MemoryBytes)
	}
	return nil, errors.New("its architecture is another")
}
