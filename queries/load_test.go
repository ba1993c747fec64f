package queries

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const (
	goodYAML = `name: mine
version: "2"
explained:
  long-answer: {geo: it is the answer}
queries:
  - id: geo
    prompt: The capital of Peru is
    keyword: Lima
    aliases: ["Lima, Peru", 'Ciudad de los Reyes']
    category: geography
    difficulty: easy
    as_of: 2025-01-01
  - {id: sci, prompt: "Water is made of oxygen and", keyword: hydrogen, reference: hydrogen gas}
`
	goodJSONL = `{"id":"geo","prompt":"The capital of Peru is","keyword":"Lima","aliases":["Lima, Peru","Ciudad de los Reyes"],"category":"geography","difficulty":"easy","as_of":"2025-01-01"}

{"id":"sci","prompt":"Water is made of oxygen and","keyword":"hydrogen","reference":"hydrogen gas"}
`
	goodCSV = `as_of,aliases,id,prompt,keyword,reference,category,difficulty
2025-01-01,"Lima, Peru|Ciudad de los Reyes",geo,The capital of Peru is,Lima,,geography,easy
,,sci,Water is made of oxygen and,hydrogen,hydrogen gas,,
`
)

var good = []Query{
	{
		ID: "geo", Prompt: "The capital of Peru is", Keyword: "Lima", Aliases: []string{"Lima, Peru", "Ciudad de los Reyes"},
		Reference: "Lima", Category: "geography", Difficulty: "easy", AsOf: "2025-01-01",
	},
	{ID: "sci", Prompt: "Water is made of oxygen and", Keyword: "hydrogen", Reference: "hydrogen gas"},
}

// TestFormats wants the same set from each format, with a byte order mark and
// with CRLF too, and one content hash.
func TestFormats(t *testing.T) {
	for name, text := range map[string]string{"mine.yaml": goodYAML, "mine.yml": goodYAML, "mine.jsonl": goodJSONL, "mine.csv": goodCSV} {
		for variant, text := range map[string]string{
			"plain": text, "byte order mark": "\ufeff" + text, "CRLF": strings.ReplaceAll(text, "\n", "\r\n"), "no last newline": strings.TrimSuffix(text, "\n"),
		} {
			t.Run(name+" "+variant, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), name)
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				s, err := Load(path)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(good, s.Queries); diff != "" {
					t.Error(diff)
				}
				if want := (Set{Queries: good}).SHA256(); s.SHA256() != want {
					t.Errorf("content hash %s, want %s", s.SHA256(), want)
				}
				if strings.HasPrefix(name, "mine.y") && (s.Name != "mine" || s.Version != "2" || s.Explained["long-answer"]["geo"] == "") {
					t.Errorf("name %q, version %q, explained %v", s.Name, s.Version, s.Explained)
				}
				if !strings.HasPrefix(name, "mine.y") && s.Name != name {
					t.Errorf("name %q, want the file's", s.Name)
				}
			})
		}
	}
}

const (
	yamlHead = "queries:\n  - id: a\n    prompt: p\n    keyword: k\n"
	jsonRow  = `{"id":"a","prompt":"p","keyword":"k"}` + "\n"
	csvHead  = "id,prompt,keyword,aliases\na,p,k,\n"
)

// badFiles are files that must be refused.
var badFiles = []struct {
	name   string
	format Format
	text   string
	line   int
	reason string
}{
	{"empty", YAML, "", 0, "empty; it needs a list under queries:"},
	{"only a comment", YAML, "# nothing\n", 0, "empty"},
	{"no query", YAML, "queries: []\n", 0, "holds no query"},
	{"no list", YAML, "queries: all\n", 1, "expected a list"},
	{"null list", YAML, "name: x\nqueries:\n", 2, "expected a list"},
	{"top list", YAML, "- id: a\n", 1, "expected a mapping"},
	{"syntax", YAML, yamlHead + "  bad: [\n", 5, "not valid YAML"},
	{"bad indent", YAML, yamlHead + "   category: c\n", 5, "not valid YAML"},
	{"bad indent below", YAML, yamlHead + "   category: c\n" + strings.Repeat("  - {id: b, prompt: p, keyword: k}\n", 50), 5, "not valid YAML"},
	{"colon", YAML, yamlHead + "    category: a: b\n" + strings.Repeat("  - {id: b, prompt: p, keyword: k}\n", 50), 5, "not valid YAML"},
	{"bad escape", YAML, yamlHead + "    category: \"\\q\"\n" + strings.Repeat("  - {id: b, prompt: p, keyword: k}\n", 50), 5, "not valid YAML"},
	{"open bracket", YAML, yamlHead + "    aliases: [a, b\n  - {id: b, prompt: p, keyword: k}\n", 6, "not valid YAML"},
	{"tab", YAML, "queries:\n\t- id: a\n", 2, "not valid YAML"},
	{"unknown top key", YAML, "querys: []\n" + yamlHead, 1, `unknown key "querys"`},
	{"unknown key", YAML, yamlHead + "    answer: x\n", 5, `unknown key "answer"`},
	{"duplicate key", YAML, yamlHead + "    keyword: x\n", 5, `key "keyword" is already on line 4`},
	{"duplicate top key", YAML, yamlHead + "queries: []\n", 5, `key "queries" is already on line 1`},
	{"number", YAML, "queries:\n  - id: a\n    prompt: p\n    keyword: 1984\n", 4, "keyword: expected text, in quotes, found 1984"},
	{"boolean", YAML, "queries:\n  - id: a\n    prompt: p\n    keyword: true\n", 4, "expected text"},
	{"null", YAML, yamlHead + "    category:\n", 5, "category: expected text, found nothing"},
	{"alias text", YAML, yamlHead + "    aliases: x\n", 5, "aliases: expected a list"},
	{"alias number", YAML, yamlHead + "    aliases: [x, 8]\n", 5, "expected text"},
	{"list for text", YAML, yamlHead + "    category: [x]\n", 5, "expected text"},
	{"custom tag", YAML, yamlHead + "    category: !x y\n", 5, "expected text"},
	{"anchor", YAML, "name: &x y\nqueries:\n  - {id: *x, prompt: p, keyword: k}\n", 3, "a reference to an anchor (*x)"},
	{"merge", YAML, yamlHead + "    <<: {category: x}\n", 5, `unknown key "<<"`},
	{"missing keyword", YAML, "queries:\n  - id: a\n    prompt: p\n", 2, "keyword is missing"},
	{"duplicate id", YAML, yamlHead + "  - {id: a, prompt: q, keyword: l}\n", 5, `id "a" is already that of the query on line 2`},
	{"two documents", YAML, yamlHead + "---\nname: x\n", 5, "second YAML document"},
	{"NUL", YAML, yamlHead + "    category: \x00\n", 5, "NUL"},
	{"NUL escaped", YAML, yamlHead + "    category: \"\\0\"\n", 2, "NUL"},
	{"not UTF-8", YAML, yamlHead + "    category: caf\xe9\n", 5, "byte 0xe9 is not UTF-8"},
	{"UTF-16", YAML, "\xff\xfeq\x00", 1, "not UTF-8"},
	{"10 MB", YAML, strings.Repeat("queries: [[[[\n", 750_000), 0, "larger than 8 MiB"},
	{"alias bomb", YAML, yamlBomb, 1, `unknown key "a0"`},
	{"alias bomb below", YAML, "queries:\n  - id: a\n    aliases: &a [x, x]\n  - [*a, *a]\n  - *a\n", 2, "prompt is missing"},
	{"deep", YAML, "queries: " + strings.Repeat("[", 200_000), 1, "not valid YAML"},

	{"empty", JSONL, "", 0, "holds no query"},
	{"blank lines", JSONL, "\n \n", 0, "holds no query"},
	{"syntax", JSONL, jsonRow + "\n{\"id\":\"b\",}\n", 3, "not valid JSON"},
	{"half a line", JSONL, jsonRow + `{"id":"b","prompt":"p`, 2, "unexpected end of JSON input"},
	{"half an object", JSONL, jsonRow + `{"id":"b","prompt":"p"`, 2, "unexpected end of JSON input"},
	{"list", JSONL, "[]\n", 1, "expected an object"},
	{"null", JSONL, "null\n", 1, "expected an object"},
	{"two values", JSONL, `{"id":"a","prompt":"p","keyword":"k"} {}` + "\n", 1, "not valid JSON"},
	{"unknown key", JSONL, `{"id":"a","prompt":"p","keyword":"k","Category":"c"}`, 1, `unknown key "Category"`},
	{"duplicate key", JSONL, `{"id":"a","prompt":"p","keyword":"k","id":"b"}`, 1, `key "id" appears twice`},
	{"escaped key", JSONL, `{"\u0069d":"a","prompt":"p","keyword":"k"}`, 1, "unknown key"},
	{"object for text", JSONL, `{"id":{"id":"a"},"prompt":"p","keyword":"k"}`, 1, "id must be a string"},
	{"null alias", JSONL, `{"id":"a","prompt":"p","keyword":"k","aliases":[null]}`, 1, "alias 1 is empty"},
	{"null aliases", JSONL, `{"id":"a","prompt":"p","keyword":"k","aliases":null}`, 1, "aliases must be a list"},
	{"number", JSONL, `{"id":1,"prompt":"p","keyword":"k"}`, 1, "id must be a string"},
	{"null keyword", JSONL, `{"id":"a","prompt":"p","keyword":null}`, 1, "keyword must be a string"},
	{"alias text", JSONL, `{"id":"a","prompt":"p","keyword":"k","aliases":"x"}`, 1, "aliases must be a list"},
	{"alias number", JSONL, `{"id":"a","prompt":"p","keyword":"k","aliases":["x",8]}`, 1, "aliases must be a list"},
	{"empty alias", JSONL, `{"id":"a","prompt":"p","keyword":"k","aliases":[""]}`, 1, "alias 1 is empty"},
	{"missing id", JSONL, jsonRow + `{"prompt":"p","keyword":"k"}`, 2, "id is missing"},
	{"duplicate id", JSONL, jsonRow + jsonRow, 2, "ids are unique"},
	{"NUL", JSONL, jsonRow + "{\"id\":\"b\x00\"}", 2, "NUL"},
	{"NUL escaped", JSONL, jsonRow + `{"id":"b\u0000","prompt":"p","keyword":"k"}`, 2, "NUL"},
	{"lone surrogate", JSONL, jsonRow + `{"id":"b","prompt":"p\ud800","keyword":"k"}`, 2, "U+FFFD"},
	{"not UTF-8", JSONL, jsonRow + "{\"id\":\"b\xff\"}", 2, "byte 0xff is not UTF-8"},
	{"byte order mark inside", JSONL, jsonRow + "\ufeff" + jsonRow, 2, "expected an object"},
	{"line over 1 MiB", JSONL, jsonRow + `{"id":"b","prompt":"` + strings.Repeat("x", 1<<20) + `","keyword":"k"}`, 2, "longer than 1 MiB"},
	{"deep", JSONL, strings.Repeat("[", 500_000), 1, "expected an object"},
	{"deep alias", JSONL, `{"aliases":` + strings.Repeat("[", 500_000), 1, "exceeded max depth"},

	{"empty", CSV, "", 1, "empty"},
	{"header only", CSV, "id,prompt,keyword\n", 0, "holds no query"},
	{"no header", CSV, "a,p,k\n", 1, `unknown key "a"`},
	{"unknown column", CSV, "id,prompt,keyword,answer\n", 1, `unknown key "answer"`},
	{"duplicate column", CSV, "id,prompt,keyword,id\n", 1, `column "id" appears twice`},
	{"missing column", CSV, "id,prompt\n", 1, `column "keyword" is missing`},
	{"column twice in capitals", CSV, "id,prompt,keyword,ID\n", 1, `column "id" appears twice`},
	{"one column", CSV, "id:prompt:keyword\na:p:k\n", 1, `one column only, "id:prompt:keyword"; the columns are separated by commas, semicolons or tabs`},
	{"pipes", CSV, "id|prompt|keyword\na|p|k\n", 1, "one column only"},
	{"unnamed column", CSV, "id,prompt,keyword,,aliases\na,p,k,,\nb,p,k,x,\n", 3, `has "x" in field 4, a column without a name`},
	{"another separator stated", CSV, "sep=|\nid|prompt|keyword\n", 1, "sep=| does not state"},
	{"fault behind a stated separator", CSV, "sep=;\nid;prompt;keyword\na;p\n", 3, "has 2 fields where the header has 3"},
	{"UTF-16 without a mark", CSV, "i\x00d\x00,\x00", 1, "UTF-16 without a byte order mark"},
	{"UTF-16 cut", CSV, "\xff\xfei\x00d\x00,\x00p", 1, "unknown key"},
	{"code page", CSV, "id;prompt;keyword\na;p;S\xe3o\n", 2, "byte 0xe3 is not UTF-8"},
	{"too few fields", CSV, csvHead + "b,p\n", 3, "has 2 fields where the header has 4"},
	{"too many fields", CSV, csvHead + "b,p,k,x,y\n", 3, "field 5, a column without a name; the header names 4"},
	{"bare quote", CSV, csvHead + "b,p\"q,k,\n", 3, "bare \""},
	{"open quote", CSV, csvHead + "b,\"p,k,\n", 3, "\" in quoted-field"},
	{"open quote over 1 MiB", CSV, csvHead + "b,\"" + strings.Repeat("x\n", 1<<20), 3, "longer than 1 MiB"},
	{"empty alias", CSV, csvHead + "b,p,k,x||y\n", 3, "alias 2 is empty"},
	{"missing keyword", CSV, csvHead + "b,p,,x\n", 3, "keyword is missing"},
	{"duplicate id", CSV, csvHead + "a,p,k,x\n", 3, "ids are unique"},
	{"NUL", CSV, csvHead + "b,p\x00,k,x\n", 3, "NUL"},
	{"not UTF-8", CSV, csvHead + "b,p\xe9,k,x\n", 3, "byte 0xe9 is not UTF-8"},
}

// TestBad wants every fault refused with its line and its reason.
func TestBad(t *testing.T) {
	for _, test := range badFiles {
		t.Run(fmt.Sprint(test.format, " ", test.name), func(t *testing.T) {
			start := time.Now()
			_, err := Read(strings.NewReader(test.text), "dir/set", test.format)
			var one *Error
			if !errors.As(err, &one) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if one.File != "dir/set" || one.Line != test.line || !strings.Contains(one.Reason, test.reason) {
				t.Errorf("got %v, want line %d and %q", one, test.line, test.reason)
			}
			if len(err.Error()) > 2000 {
				t.Errorf("a message of %d bytes", len(err.Error()))
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

// yamlBomb would be a billion texts if its anchors were followed.
var yamlBomb = func() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 9; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10))
	}
	return b.String() + "queries: *a8\n"
}()

// TestLongLine takes a line of a megabyte, which is a query like another.
func TestLongLine(t *testing.T) {
	prompt := strings.Repeat("x", 1_000_000)
	s, err := Read(strings.NewReader(`{"id":"a","prompt":"`+prompt+`","keyword":"k"}`), "set", JSONL)
	if err != nil || len(s.Queries) != 1 || s.Queries[0].Prompt != prompt {
		t.Fatalf("%d queries, %v", len(s.Queries), err)
	}
}

// TestTogether wants all faults of a file at once, the whole queries beside
// them, and an end after twenty.
func TestTogether(t *testing.T) {
	text := `{"id":"a"}` + "\n" + `{"id":"b","prompt":"p","keyword":"k"}` + "\nnonsense\n" + `{"id":"c","prompt":"p","keyword":"k"}` + "\n"
	s, err := Read(strings.NewReader(text), "set.jsonl", JSONL)
	var all Errors
	if !errors.As(err, &all) || len(all) != 3 || len(s.Queries) != 2 || s.Line(1) != 4 {
		t.Errorf("%d queries, errors:\n%v", len(s.Queries), err)
	}
	_, err = Read(strings.NewReader(strings.Repeat("nonsense\n", 1000)), "set.jsonl", JSONL)
	if !errors.As(err, &all) || len(all) != 20 || !strings.Contains(err.Error(), "stopped after 20") {
		t.Errorf("%d errors:\n%v", len(all), err)
	}
}

// TestReadsOn wants the faults behind one that ends a row or a line, each at
// its place.
func TestReadsOn(t *testing.T) {
	for _, test := range []struct {
		format  Format
		text    string
		lines   []int
		queries int
	}{
		{CSV, csvHead + "b,p\"q,k,\nc,p\nd,\"p\"q,k,\ne,,k,\nf,p,k,\n", []int{3, 4, 5, 6}, 2},
		{CSV, "id,prompt,keyword,answer\na,p,k,x\nb,,k,x\n", []int{1, 3}, 1},
		{YAML, yamlHead + "    category: \xe9\n  - id: \x00\n    prompt: p\n  - {id: c, prompt: p, keyword: k}\n", []int{5, 6, 6}, 2},
	} {
		s, err := Read(strings.NewReader(test.text), "set", test.format)
		var all Errors
		if !errors.As(err, &all) {
			t.Fatalf("%s: got %v", test.format, err)
		}
		var lines []int
		for _, one := range all {
			lines = append(lines, one.Line)
		}
		if !slices.Equal(lines, test.lines) || len(s.Queries) != test.queries {
			t.Errorf("%s: %d queries, want %d; errors:\n%v", test.format, len(s.Queries), test.queries, err)
		}
	}
}

// TestReadFault wants a fault of the reader passed on, not called a bad file.
func TestReadFault(t *testing.T) {
	broken := errors.New("the disk is gone")
	for format, text := range map[Format]string{YAML: goodYAML, JSONL: goodJSONL, CSV: goodCSV} {
		_, err := Read(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), "set", format)
		if !errors.Is(err, broken) {
			t.Errorf("%s: got %v", format, err)
		}
	}
}

func TestUnknownFormat(t *testing.T) {
	if _, err := Load("set.json"); err == nil || !strings.Contains(err.Error(), ".jsonl") {
		t.Errorf("got %v, want the extensions named", err)
	}
	if _, err := Read(strings.NewReader(""), "set", "toml"); err == nil {
		t.Error("an unknown format passed")
	}
}

// TestWrongFile wants a file that is not there, or no file, called the user's
// mistake and not a failure.
func TestWrongFile(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "set.yaml")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{folder: "is a folder", filepath.Join(folder, "none.csv"): "cannot be opened", "set.txt": "unknown format"} {
		_, err := Load(path)
		var one *Error
		if !errors.As(err, &one) || one.File != path || !strings.Contains(one.Reason, want) {
			t.Errorf("%s: got %v", path, err)
		}
	}
}

func TestWriteJSONL(t *testing.T) {
	for name, s := range map[string]Set{"builtin": Builtin(), "markup": {Queries: []Query{{ID: "a", Prompt: "<b> & \u2028", Keyword: "k", Reference: "k"}}}} {
		var b bytes.Buffer
		if err := WriteJSONL(&b, s); err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(b.Bytes(), []byte("\n")); n != len(s.Queries) {
			t.Errorf("%s: %d lines for %d queries", name, n, len(s.Queries))
		}
		back, err := Read(&b, "back.jsonl", JSONL)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s.Queries, back.Queries, cmpopts.EquateEmpty()); diff != "" || back.SHA256() != s.SHA256() {
			t.Errorf("%s changed on the way: %s", name, diff)
		}
	}
}

// TestSHA256 wants another hash for any other content, and the same for the
// same under another name.
func TestSHA256(t *testing.T) {
	base := func() Set {
		return Set{Queries: []Query{
			{ID: "a", Prompt: "b", Keyword: "c", Aliases: []string{"d", "e"}, Reference: "f", Category: "g", Difficulty: "easy", AsOf: "2025-01-01"},
			{ID: "z", Prompt: "y", Keyword: "x"},
		}}
	}
	seen := map[string]string{base().SHA256(): "base"}
	for name, change := range map[string]func(*Set){
		"id":           func(s *Set) { s.Queries[0].ID = "A" },
		"prompt":       func(s *Set) { s.Queries[0].Prompt = "B" },
		"keyword":      func(s *Set) { s.Queries[0].Keyword = "C" },
		"alias":        func(s *Set) { s.Queries[0].Aliases[1] = "E" },
		"alias order":  func(s *Set) { s.Queries[0].Aliases = []string{"e", "d"} },
		"alias joined": func(s *Set) { s.Queries[0].Aliases = []string{"de"} },
		"reference":    func(s *Set) { s.Queries[0].Reference = "F" },
		"category":     func(s *Set) { s.Queries[0].Category = "G" },
		"difficulty":   func(s *Set) { s.Queries[0].Difficulty = "hard" },
		"as_of":        func(s *Set) { s.Queries[0].AsOf = "" },
		"shifted":      func(s *Set) { s.Queries[0].ID, s.Queries[0].Prompt = "ab", "" },
		"order":        func(s *Set) { s.Queries[0], s.Queries[1] = s.Queries[1], s.Queries[0] },
		"shorter":      func(s *Set) { s.Queries = s.Queries[:1] },
		"empty":        func(s *Set) { s.Queries = nil },
	} {
		s := base()
		change(&s)
		if other, known := seen[s.SHA256()]; known {
			t.Errorf("%s has the hash of %s", name, other)
		}
		seen[s.SHA256()] = name
	}
	s := base()
	s.Name, s.Version, s.Queries[1].Reference = "other", "9", "x"
	if seen[s.SHA256()] != "base" {
		t.Error("name, version or a spelled-out default reference changed the hash")
	}
}
