package queries

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDecodePlain(t *testing.T) {
	for _, test := range []struct {
		line  string
		plain bool
	}{
		{`{"id":"a","prompt":"p","keyword":"k"}`, true},
		{"\t{ \"id\" : \"a\" ,\t\"aliases\" : [ \"x\" , \"ÿ\" ] , \"as_of\":\"\" } \r", true},
		{`{"id":"a","prompt":"p","keyword":"k","reference":"r","category":"c","difficulty":"d","as_of":"2020-01-02","aliases":["l"]}`, true},
		{`{"prompt":"p"}`, true},   // what is missing is told later
		{`{"id":"\u0061"}`, false}, // and from here on the standard decoder judges
		{`{"id":"a","aliases":[]}`, false},
		{`{}`, false},
		{`{"ID":"a"}`, false},
		{`{"id":"a","id":"a"}`, false},
		{`{"id":1}`, false},
		{`{"id":null}`, false},
		{`{"id":["a"]}`, false},
		{`{"aliases":"a"}`, false},
		{`{"aliases":["a",]}`, false},
		{`{"aliases":["a"`, false},
		{`{"aliases":["a",1]}`, false},
		{`{"other":"a"}`, false},
		{`{"id":"a",}`, false},
		{`{"id":"a"}}`, false},
		{`{"id":"a"} x`, false},
		{`{"id":"a"`, false},
		{`{"id":"a`, false},
		{`{"id" "a"}`, false},
		{"{\"id\":\"a\tb\"}", false},
		{`["id"]`, false},
		{`}`, false},
		{`{"aliases":]}`, false},
		{` `, false},
	} {
		if _, plain := decodePlain([]byte(test.line)); plain != test.plain {
			t.Errorf("%s: plain is %v", test.line, plain)
		}
		samePlain(t, test.line)
	}
}

// FuzzPlain holds what decodePlain reads to what the standard decoder makes of it.
func FuzzPlain(f *testing.F) {
	for line := range strings.Lines(goodJSONL) {
		f.Add(strings.TrimSuffix(line, "\n"))
	}
	f.Add(`{"id":"a","aliases":["b","c"]}`)
	f.Fuzz(func(t *testing.T, line string) {
		if utf8.ValidString(line) && !strings.Contains(line, "\n") {
			samePlain(t, line)
		}
	})
}

func samePlain(t *testing.T, line string) {
	t.Helper()
	fast, plain := decodePlain([]byte(line))
	if !plain {
		return
	}
	if slow, err := decodeObject([]byte(line)); err != nil || !reflect.DeepEqual(fast, slow) {
		t.Errorf("%s: read as %+v, by the standard decoder as %+v, %v", line, fast, slow, err)
	}
}
