package queries

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"testing"
)

func large(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `{"id":"q%d","prompt":"The value number %d of the long table of values is","keyword":"value %d","aliases":["v%d"],"category":"c%d"}`+"\n", i, i, i, i, i%20)
	}
	return b.Bytes()
}

func BenchmarkLoad100k(b *testing.B) {
	jsonl := large(100_000)
	s, err := Read(bytes.NewReader(jsonl), "set", JSONL)
	if err != nil {
		b.Fatal(err)
	}
	var csv bytes.Buffer
	csv.WriteString("id,prompt,keyword,aliases,category\n")
	for _, q := range s.Queries {
		fmt.Fprintf(&csv, "%s,%s,%s,%s,%s\n", q.ID, q.Prompt, q.Keyword, q.Aliases[0], q.Category)
	}
	for format, text := range map[Format][]byte{JSONL: jsonl, CSV: csv.Bytes()} {
		b.Run(string(format), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Read(bytes.NewReader(text), "set", format); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSHA256(b *testing.B) {
	s := Builtin()
	for b.Loop() {
		s.SHA256()
	}
}

func FuzzYAML(f *testing.F)  { fuzz(f, YAML, goodYAML, yamlBomb, "planted.yaml") }
func FuzzJSONL(f *testing.F) { fuzz(f, JSONL, goodJSONL, "{\"id\":\"\\ud800\"}", "planted.jsonl") }
func FuzzCSV(f *testing.F)   { fuzz(f, CSV, goodCSV, "id,\"", "planted.csv") }

// fuzz wants a loader either to refuse a file, with a line inside it, or to
// read a set that survives being written and read again.
func fuzz(f *testing.F, format Format, good, bad, file string) {
	planted, err := os.ReadFile("testdata/" + file)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{[]byte(good), []byte(bad), planted} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Read(bytes.NewReader(text), "set", format)
		if err != nil {
			checkRefusal(t, err, 1+len(lineBreak.FindAll(text, -1)))
			return
		}
		var b bytes.Buffer
		if err := WriteJSONL(&b, s); err != nil {
			t.Fatal(err)
		}
		back, err := Read(&b, "set", JSONL)
		if err != nil || back.SHA256() != s.SHA256() {
			t.Fatalf("read back: %v\n%q\n%q", err, s.Queries, back.Queries)
		}
		testLinter.Check(s)
	})
}

// lineBreak is what ends a line, in YAML at least.
var lineBreak = regexp.MustCompile("[\n\r\u0085\u2028\u2029]")

func checkRefusal(t *testing.T, err error, lines int) {
	var all Errors
	if !errors.As(err, &all) || len(all) == 0 {
		t.Fatalf("refused without Errors: %v", err)
	}
	for _, e := range all {
		if e.Line < 0 || e.Line > lines+1 || e.Reason == "" {
			t.Fatalf("line %d of %d: %q", e.Line, lines, e.Reason)
		}
	}
}
