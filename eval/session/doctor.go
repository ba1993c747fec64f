package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/shirou/gopsutil/v4/mem"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/builtin"
	"github.com/disteval/disteval/eval/hub"
	"github.com/disteval/disteval/queries"
)

// Most tokens that a test of the doctor reads: enough for an interval of some
// hundredths of a bit, and for a minute of an 87 M model on two cores.
const (
	layoutTokens  = 1500
	contextTokens = 1024
)

// Doctor examines a source: hf://OWNER/REPO, a folder or a .gguf file. The
// model is run over sentences; nil takes the facts of the built-in queries. An
// error means that the source cannot be read. tell hears of bytes, count of
// tokens.
func Doctor(ctx context.Context, cfg hub.Config, source string, sentences []string, tell, count hub.Progress) (*hub.Diagnosis, error) {
	w, err := open(ctx, cfg, source, tell)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	d, err := hub.Examine(ctx, w, tell)
	if err != nil {
		return nil, err
	}
	if sentences == nil {
		sentences = Facts()
	}
	llm, err := engine(w, false)
	if err == nil {
		err = fits(llm.Info().MemoryBytes)
	}
	switch {
	case !w.Llama(): // said already
	case err == nil:
		defer llm.Unload()
		if err := run(ctx, w, d, llm, sentences, count); err != nil {
			return nil, err
		}
	default:
		d.NotDone = append(d.NotDone, "layout of q and k, text through the tokenizer, context: the built-in engine does not run this model: "+reason(err))
	}
	return d, nil
}

// Facts are the built-in queries as sentences.
func Facts() (out []string) {
	for _, q := range queries.Builtin().Queries {
		out = append(out, q.Prompt+" "+q.Keyword+".")
	}
	return out
}

// Sentences reads the lines of a text file.
func Sentences(path string) ([]string, error) {
	const most = 8 << 20
	info, err := os.Stat(path)
	if err == nil && (info.Size() > most || !info.Mode().IsRegular()) {
		err = fmt.Errorf("%s: no file of text of up to %d MB", path, most>>20)
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, eval.BadInput(fmt.Errorf("read the text: %w", err), "name a file with one sentence a line")
	}
	out := []string{}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out, nil
}

// open fetches a source and opens it.
func open(ctx context.Context, cfg hub.Config, source string, tell hub.Progress) (*hub.Weights, error) {
	m, err := fetch(ctx, cfg, source, tell)
	if err != nil {
		return nil, err
	}
	return openModel(source, m)
}

// fetch brings a source's files to this machine.
func fetch(ctx context.Context, cfg hub.Config, source string, tell hub.Progress) (hub.Model, error) {
	h, err := hub.New(cfg)
	if err != nil {
		return hub.Model{}, err
	}
	name, isHub := strings.CutPrefix(source, "hf://")
	switch {
	case isHub:
		ref, err := hub.ParseRef(name)
		if err != nil {
			return hub.Model{}, eval.BadInput(err, "write it like hf://HenryHHHH/DistilLlama")
		}
		return h.Get(ctx, ref, tell)
	case strings.Contains(source, "://"):
		return hub.Model{}, eval.BadInput(fmt.Errorf("source %q: unknown kind", source), "write ollama://NAME, hf://OWNER/REPO, a folder or a .gguf file")
	}
	return h.Local(ctx, source, tell)
}

// openModel opens the files of a model.
func openModel(source string, m hub.Model) (*hub.Weights, error) {
	if len(m.Files) != 1 || m.Files[0].Name != "model.gguf" {
		return hub.OpenFolder(source, m)
	}
	f, err := os.Open(m.Files[0].Path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", source, err)
	}
	dir, err := builtin.ReadDirectory(f, m.Files[0].Size)
	if err != nil {
		return nil, errors.Join(eval.BadInput(fmt.Errorf("read %s: %w", source, err), "get the file again"), f.Close())
	}
	var entries []hub.GGUFEntry
	for _, e := range dir.Entries {
		entries = append(entries, hub.GGUFEntry(e))
	}
	return hub.FromGGUF(source, dir.Metadata, entries, f, m.Files[0].Size, f), nil
}

// engine opens the model in the built-in engine, its matrices rounded to F16
// where that is asked for.
func engine(w *hub.Weights, rounded bool) (*builtin.LLM, error) {
	c := builtin.Checkpoint{Name: w.Source, Metadata: w.Metadata, Rotary: builtin.RotaryHalves, Tensors: make(map[string]builtin.Tensor)}
	if w.GGUF {
		c.Rotary = builtin.RotaryPairs
	} else if err := w.Convertible(); err != nil {
		return nil, err
	}
	if w.Shape.Scaling.Kind != "" {
		return nil, fmt.Errorf("its positions are stretched by %s", w.Shape.Scaling.Kind)
	}
	for _, t := range w.Tensors {
		if t.Data == nil {
			return nil, fmt.Errorf("the file is cut off in tensor %s", t.Name)
		}
		if t.GGUF == "output.weight" && w.Shape.Tied {
			continue
		}
		c.Tensors[t.GGUF] = builtin.Tensor{Type: t.Type, Shape: t.Shape, Data: t.Data, Offset: t.Offset, AsF16: rounded && t.Type == "F32" && len(t.Shape) > 1}
	}
	return builtin.OpenCheckpoint(c)
}

// fits refuses a model that takes more than four fifths of the memory that is
// free.
func fits(bytes int64) error {
	free, err := mem.VirtualMemory()
	if err != nil {
		return fmt.Errorf("the free memory cannot be told: %w", err)
	}
	if most := free.Available / 5 * 4; uint64(bytes) > most {
		return fmt.Errorf("it takes %.1f GB of memory, of which %.1f GB are to spare", float64(bytes)/1e9, float64(most)/1e9)
	}
	return nil
}

// reason is an error without the words that name the model once more.
func reason(err error) string {
	s := err.Error()
	if _, after, ok := strings.Cut(s, ": "); ok && strings.HasPrefix(s, "open model ") {
		return after
	}
	return s
}

// readings are the layouts that a model may be stored in, as stored first.
func readings(w *hub.Weights, llm *builtin.LLM) []hub.Reading {
	if w.GGUF {
		return []hub.Reading{
			{Layout: "the layout of GGUF", Reader: llm},
			{Layout: "Hugging Face's layout, without the permutation of q and k", Reader: llm.WithRotary(builtin.RotaryHalves)},
			{Layout: "Meta's layout, permuted once too often", Reader: llm.WithRotary(builtin.RotaryTwice)},
		}
	}
	return []hub.Reading{
		{Layout: "Hugging Face's layout", Reader: llm},
		{Layout: "Meta's layout", Reader: llm.WithRotary(builtin.RotaryPairs)},
	}
}

func run(ctx context.Context, w *hub.Weights, d *hub.Diagnosis, llm *builtin.LLM, sentences []string, tell hub.Progress) (err error) {
	if err := llm.Load(); err != nil {
		d.NotDone = append(d.NotDone, "layout of q and k, text through the tokenizer, context: "+reason(err))
		return nil // NaN and the like, which stand among the findings
	}
	d.Add(w.CheckTexts(llm)...)
	test, err := hub.CompareLayouts(ctx, readings(w, llm), sentences, w.Shape.Vocab, layoutTokens, tell)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		d.NotDone = append(d.NotDone, "layout of q and k, context: "+reason(err))
		return nil
	}
	d.Rotary = test
	mend := "set rope: meta for this source in models.yaml (or rope: auto), or permute q and k when the checkpoint is written"
	if w.GGUF {
		mend = "convert the model again from its source, with disteval models pull and rope: auto"
	}
	if f, ok := test.Finding(mend); ok {
		d.Add(f)
	}
	d.Context, err = w.ReadByPosition(ctx, best(readings(w, llm), test).Reader, sentences, llm.Info().ContextLength, contextTokens, tell)
	if err != nil {
		return err
	}
	if f, ok := hub.BreakDown(d.Context, w.Shape.Positions); ok && test.Undecided == "" {
		d.Add(f)
	}
	return nil
}

// best is the reading that the test has found; undecided, the first.
func best(all []hub.Reading, t *hub.RotaryTest) hub.Reading {
	for _, r := range all {
		if r.Layout == t.Best {
			return r
		}
	}
	return all[0]
}
