package hub

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Diagnosis is what an examination has found. Encoded as JSON it is the
// document disteval.doctor/1.
type Diagnosis struct {
	Schema       string         `json:"schema"`
	Source       string         `json:"source"`
	Format       string         `json:"format"`       // safetensors or gguf
	Architecture string         `json:"architecture"` // as stated; empty: not stated
	Parameters   int64          `json:"parameters"`   // numbers in all tensors, a tied output once
	Bytes        int64          `json:"bytes"`        // of all tensors
	Types        map[string]int `json:"types"`        // tensors by how they are stored
	Sound        bool           `json:"sound"`        // no finding is a fault
	Findings     []Finding      `json:"findings"`     // faults first
	Rotary       *RotaryTest    `json:"rotary"`       // null: not tested
	Context      []Stretch      `json:"context"`      // null: not tested
	NotDone      []string       `json:"not_done"`     // checks that were not made, and why
}

// DoctorSchema names the JSON of a Diagnosis.
const DoctorSchema = "disteval.doctor/1"

// Add adds findings and keeps the verdict.
func (d *Diagnosis) Add(findings ...Finding) {
	d.Findings = append(d.Findings, findings...)
	slices.SortStableFunc(d.Findings, func(a, b Finding) int { return cmp.Compare(rank(a.Level), rank(b.Level)) })
	d.Sound = !slices.ContainsFunc(d.Findings, func(f Finding) bool { return f.Level == Fault })
}

func rank(l Level) int {
	if l == Fault {
		return 0
	}
	return 1
}

// Examine makes the checks that need no running of the model. It reads every
// tensor once.
func Examine(ctx context.Context, w *Weights, tell Progress) (*Diagnosis, error) {
	d := &Diagnosis{Schema: DoctorSchema, Source: w.Source, Format: "safetensors", Architecture: w.Shape.Architecture,
		Types: make(map[string]int), Findings: []Finding{}, NotDone: []string{}}
	if w.GGUF {
		d.Format = "gguf"
	}
	for _, t := range w.Tensors {
		d.Types[t.Type]++
		d.Bytes += t.Size
		d.Parameters += t.Count()
	}
	d.Add(w.found...)
	d.Add(w.checkTensors()...)
	d.Add(w.checkTypes()...)
	if w.GGUF {
		d.Add(checkMetadata(w.Metadata, w.Tensors)...)
	} else {
		d.Add(w.checkTied()...)
	}
	if w.Metadata != nil && w.Llama() {
		d.Add(w.checkVocabulary()...)
	}
	if !w.Llama() {
		d.NotDone = append(d.NotDone, fmt.Sprintf("shapes, layout and running: known here for %s only, and this is %s", architecture, orUnknown(w.Shape.Architecture)))
	}
	found, err := w.checkNumbers(ctx, d, tell)
	if err != nil {
		return nil, err
	}
	d.Add(found...)
	return d, nil
}

func orUnknown(s string) string {
	if s == "" {
		return "of no stated architecture"
	}
	return s
}

// checkTensors compares the tensors with those that the configuration asks for.
func (w *Weights) checkTensors() (found []Finding) {
	want := w.Shape.shapes()
	if !w.Llama() || want == nil {
		return nil
	}
	tell := func(where, what, mend string) {
		found = append(found, Finding{"tensors", Fault, where, what, mend})
	}
	have := make(map[string]Tensor, len(w.Tensors))
	var unexpected []string
	for _, t := range w.Tensors {
		name := t.GGUF
		switch {
		case want[name] != nil:
			have[name] = t
		case strings.HasSuffix(name, ".bias") && (w.Shape.Biases || w.GGUF), name == "rope_freqs.weight":
		default:
			unexpected = append(unexpected, t.Name)
		}
	}
	if n := len(unexpected); n > 0 {
		what := "no part of a LLaMA of this configuration"
		if n > 1 {
			what = fmt.Sprintf("%d tensors, this first, are %s", n, what)
		}
		tell(unexpected[0], what, "correct config.json (num_hidden_layers?) or write the checkpoint again without them")
	}
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(want)) {
		t, ok := have[name]
		shown := name
		if !w.GGUF {
			shown = hfName(name)
		}
		switch {
		case !ok && name == "output.weight" && (w.Shape.Tied || w.GGUF): // the embedding stands for it
		case !ok && name == "output.weight":
			tell(shown, "missing, and tie_word_embeddings is not true: loaded elsewhere, the model gets a random head", "set tie_word_embeddings: true where the head is the embedding, else save the head too")
		case !ok:
			missing = append(missing, shown)
		case !slices.Equal(t.Shape, want[name]):
			tell(t.Name, fmt.Sprintf("shape %v where the configuration asks for %v", t.Shape, want[name]), "correct config.json, or save the weights again: one of the two is not this model's")
		}
	}
	if len(missing) > 0 {
		tell(missing[0], fmt.Sprintf("%d tensors are missing, this first", len(missing)), "correct config.json (num_hidden_layers?), or get the rest of the weights")
	}
	return found
}

// checkTypes remarks where numbers are stored otherwise than stated, or in
// several ways.
func (w *Weights) checkTypes() (found []Finding) {
	var kinds []string
	for _, t := range w.Tensors {
		if len(t.Shape) > 1 && !slices.Contains(kinds, t.Type) {
			kinds = append(kinds, t.Type)
		}
	}
	slices.Sort(kinds)
	stored := strings.Join(kinds, ", ")
	if stated := w.Shape.DType; stated != "" && stored != stated {
		found = append(found, Finding{Check: "types", Level: Remark, What: fmt.Sprintf("config.json states %s, the matrices are stored as %s", stated, stored),
			Mend: "nothing, if they were converted on purpose; else save the model as it was trained"})
	}
	return found
}

// checkTied looks for a head that the configuration says is the embedding.
func (w *Weights) checkTied() (found []Finding) {
	var head, embedding *Tensor
	for i, t := range w.Tensors {
		switch t.GGUF {
		case "output.weight":
			head = &w.Tensors[i]
		case "token_embd.weight":
			embedding = &w.Tensors[i]
		}
	}
	if !w.Shape.Tied || head == nil || embedding == nil || head.Size != embedding.Size {
		return nil
	}
	same, err := sameBytes(*head, *embedding)
	if err == nil && !same {
		found = append(found, Finding{"tensors", Fault, head.Name, "tie_word_embeddings is true, but the head is not the embedding: whoever loads the model throws the head away",
			"set tie_word_embeddings: false, or remove the head if the embedding is meant"})
	}
	return found
}

// extraHead reports whether a tensor is the head of a model whose configuration
// puts the embedding in its place.
func (w *Weights) extraHead(t Tensor) bool { return w.Shape.Tied && t.GGUF == "output.weight" }
