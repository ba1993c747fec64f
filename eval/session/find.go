package session

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/dustin/go-humanize"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/builtin"
	"github.com/disteval/disteval/eval/ollama"
	"github.com/disteval/disteval/eval/spec"
)

// Found is what there is on this machine to ask.
type Found struct {
	Server    ollama.Survey // the one at OLLAMA_HOST
	ServerErr error         // that it does not answer
	Files     []eval.Model  // .gguf files that run in this process
	Later     []spec.Later  // .gguf files that only a server can run
}

// Find looks for models: those of the Ollama at OLLAMA_HOST, and the .gguf files
// in dir.
func (s *Session) Find(ctx context.Context, dir string) Found {
	var f Found
	server, ok := s.Providers[eval.ProviderOllama].(*ollama.Provider)
	if ok {
		f.Server, f.ServerErr = server.Survey(ctx)
	}
	f.files(dir)
	return f
}

// mostInside is the largest file that is offered to the engine in this process,
// which is made for small models and reads a file whole to identify it.
const mostInside = 4 << 30

// part matches the name of a split model's second and later files.
var part = regexp.MustCompile(`-(0000[2-9]|000[1-9]\d|00[1-9]\d\d)-of-\d{5}\.gguf$`)

// files takes down the .gguf files in dir, largest first.
func (f *Found) files(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // nothing is found in a folder that cannot be read
	}
	for _, e := range entries {
		info, err := os.Stat(filepath.Join(dir, e.Name()))
		if err != nil || !info.Mode().IsRegular() || !strings.EqualFold(filepath.Ext(e.Name()), ".gguf") || part.MatchString(e.Name()) || !printable(e.Name()) {
			continue
		}
		name := strings.TrimSuffix(e.Name(), filepath.Ext(e.Name()))
		served := eval.Model{Name: name, Provider: eval.ProviderOllama, Model: serverName(name), Source: "./" + e.Name(), SizeBytes: info.Size()}
		if info.Size() > mostInside {
			f.Later = append(f.Later, spec.Later{Model: served, Why: humanize.Bytes(uint64(info.Size())) + " are for a server; disteval models pull gets it into Ollama"})
			continue
		}
		described, err := builtin.Describe(eval.Model{Name: name, Provider: eval.ProviderBuiltin, Model: filepath.Join(dir, e.Name())})
		if err != nil {
			f.Later = append(f.Later, spec.Later{Model: served, Why: "not for the engine in this program (" + lastCause(err) + "); disteval models pull gets it into Ollama"})
			continue
		}
		described.Model = "./" + e.Name()
		f.Files = append(f.Files, described)
	}
}

// lastCause is the innermost reason of an error.
func lastCause(err error) string {
	text := err.Error()
	return text[strings.LastIndex(text, ": ")+len(": "):]
}

var notInNames = regexp.MustCompile(`[^a-z0-9._-]+`)

// serverName is a file's name as Ollama lets a model be called.
func serverName(name string) string {
	return cmp.Or(strings.Trim(notInNames.ReplaceAllString(strings.ToLower(name), "-"), "-._"), "model")
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// defaultNumCtx is what the file says for all models.
const defaultNumCtx = 128

// Draft is the models file of what was found, to be called file: the largest
// model first, as the reference. Where nothing was found, it asks the models
// inside the program.
func (f Found) Draft(file string) spec.Draft {
	d := spec.Draft{File: file, Found: f.Lines(), Later: slices.Clone(f.Later), Embeddings: slices.DeleteFunc(slices.Clone(f.Server.Embeddings), func(s string) bool { return !printable(s) })}
	for _, m := range slices.Concat(f.Server.Models, f.Files) {
		if printable(m.Model) {
			m.Name = strings.TrimSuffix(m.Name, ":latest")
			d.Models = append(d.Models, m)
		}
	}
	slices.SortStableFunc(d.Models, func(a, b eval.Model) int { return cmp.Compare(b.SizeBytes, a.SizeBytes) })
	if len(d.Models) == 0 {
		for _, name := range builtin.Names() {
			d.Models = append(d.Models, eval.Model{Name: name, Provider: eval.ProviderBuiltin, Model: name})
		}
	}
	taken := make(map[string]bool)
	for i := range d.Models {
		m := &d.Models[i]
		m.Name = unused(taken, m.Name)
		if i == 0 {
			m.Role = eval.RoleReference
		}
		if m.ContextLength > 0 && m.ContextLength < defaultNumCtx {
			m.Generation.NumCtx = m.ContextLength
		}
	}
	return d
}

// unused is a name that is not taken yet, and takes it.
func unused(taken map[string]bool, name string) string {
	free := name
	for n := 2; taken[free]; n++ {
		free = fmt.Sprintf("%s %d", name, n)
	}
	taken[free] = true
	return free
}

// Lines says what was found, for people.
func (f Found) Lines() []string {
	var lines []string
	switch {
	case f.ServerErr != nil:
		lines = append(lines, "no Ollama: "+f.ServerErr.Error())
	case f.Server.Version != "":
		lines = append(lines, fmt.Sprintf("Ollama %s at %s: %s", f.Server.Version, f.Server.Address, counted(len(f.Server.Models), "model")))
	}
	if n := len(f.Server.Embeddings); n > 0 {
		lines = append(lines, counted(n, "embedding model")+" there, for scoring: "+strings.Join(f.Server.Embeddings, ", "))
	}
	for _, o := range f.Server.Others {
		lines = append(lines, fmt.Sprintf("%s is left out: %s", o.Name, o.Why))
	}
	lines = append(lines, counted(len(f.Files)+len(f.Later), ".gguf file")+" beside this file")
	if len(f.Server.Models)+len(f.Files) == 0 {
		lines = append(lines, "nothing to ask yet: the models below are miniatures inside the program, to try it out; they say nothing about real ones",
			"the way on: ollama pull MODEL, or a .gguf file beside this one; then disteval init --force")
	}
	return lines
}

func counted(n int, what string) string {
	switch n {
	case 0:
		return "no " + what
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
