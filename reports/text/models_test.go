package text

import (
	"errors"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/hub"
)

// TestWriteModels has names and errors of servers try to break out.
func TestWriteModels(t *testing.T) {
	rows := []eval.Described{
		{Model: eval.Model{Name: "a\x1b[2J", Model: "m", Digest: "sha256:0123456789abcdef", ContextLength: 256, SizeBytes: 2_000_000}, Loaded: "yes",
			Lacks: errors.New("no seed\n::error::x")},
		{Model: eval.Model{Name: "b", Model: "n"}, Err: errors.Join(errors.New("first\n::error::x"), errors.New("second"))},
	}
	var list, check strings.Builder
	if err := errors.Join(WriteModels(&list, rows, false), WriteModels(&check, rows, true)); err != nil {
		t.Fatal(err)
	}
	want := `NAME      MODEL  DIGEST        PARAMETERS  QUANTIZATION  CONTEXT  SIZE    LOADED
a\x1b[2J  m      0123456789ab  -           -             256      2.0 MB  yes
b         n      first\n::error::x
`
	if list.String() != want {
		t.Errorf("got\n%s\nwant\n%s", list.String(), want)
	}
	if got := check.String(); !strings.Contains(got, "SERVER  CAN") || !strings.HasSuffix(got, "! no seed\\n::error::x\n") {
		t.Errorf("the check says\n%s", got)
	}
}

func TestWriteDiagnosis(t *testing.T) {
	var b strings.Builder
	d := &hub.Diagnosis{Source: "x\n::error::y", Format: "gguf", Parameters: 1234, Bytes: 5000, Types: map[string]int{"F32": 2, "F16": 1},
		Findings: []hub.Finding{{Level: "fault", Check: "whole", Where: "tensor\x1b", What: "cut", Mend: "get it again"}}, NotDone: []string{"layout"}}
	if err := WriteDiagnosis(&b, d); err != nil {
		t.Fatal(err)
	}
	want := `x\n::error::y: at fault
  gguf, -, 1,234 parameters in 5.0 kB (tensors: 1 F16, 2 F32)
  fault (whole): tensor\x1b: cut
    do: get it again
  not done: layout
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
