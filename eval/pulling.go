package eval

import "context"

// PullingProvider is a Provider whose servers get models when told to.
type PullingProvider interface {
	Provider
	// Library returns the models of the server that a model of a plan names.
	Library(m Model) (Library, error)
}

// Library is where a server keeps its models. What its methods bring is there
// whole or not at all.
type Library interface {
	// Find returns the digest of a model; there is false where none has the name.
	Find(ctx context.Context, name string) (digest string, there bool, err error)
	// Pull has the server fetch a model from where it gets its own.
	Pull(ctx context.Context, name string, tell PullProgress) error
	// Copy gives a model a second name.
	Copy(ctx context.Context, from, to string) error
	// Create makes a model of files.
	Create(ctx context.Context, m Creation, tell PullProgress) error
	// Quantize makes a model of another by a kind of quantisation.
	Quantize(ctx context.Context, from, to, kind string, tell PullProgress) error
}

// PullProgress is told how far a step has come, in bytes; total is 0 where the
// step has no size.
type PullProgress func(step string, done, total int64)

// Creation is a model to be made of files.
type Creation struct {
	Model  string
	Files  []Blob
	NumCtx int  // context length; 0: the positions that the server reads from the files
	Chat   bool // the files state a chat template: the server makes its own of it where it knows it, else the prompt is the whole template
}

// Blob is a file that a model is created from.
type Blob struct {
	Name   string // as the server's converter expects it
	Path   string
	Size   int64  // bytes
	SHA256 string // hexadecimal
}
