package scoring

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/disteval/disteval/metrics"
)

func pairsOf(t *testing.T, in string, cfg Config) string {
	t.Helper()
	var out bytes.Buffer
	if err := Pairs(t.Context(), strings.NewReader(in), &out, cfg); err != nil {
		t.Fatalf("%s: %v", in, err)
	}
	return out.String()
}

func TestScorePairs(t *testing.T) {
	for _, test := range []struct {
		name, in string
		prompt   bool
		kept     string // how the line written begins
		em, f1   any
		cosine   bool
	}{
		{"plain", `{"reference":"Paris","reply":"is Paris."}`, false, `{"reference":"Paris", "reply":"is Paris.", "scores": {`, 1.0, 2.0 / 3, true},
		{"fields kept", `{"id": 7, "x": {"a": ["}", "\""]}, "reference": "Paris", "reply": "Lyon", "n": null, "e": 1.50e3 }`, false,
			`{"id": 7, "x": {"a": ["}", "\""]}, "reference": "Paris", "reply": "Lyon", "n": null, "e": 1.50e3, "scores": {`, 0.0, 0.0, true},
		{"keyword and aliases", `{"reference":"It is Paris","reply":"Lutetia","keyword":"Paris","aliases":["Lutetia"]}`, false, `{"reference":"It is Paris"`, 1.0, 0.0, false},
		{"scores replaced", `{"scores":{"em":9},"reference":"Paris","reply":"Paris"}`, false, `{"reference":"Paris", "reply":"Paris", "scores": {`, 1.0, 1.0, true},
		{"prompt left out", `{"reference":"Paris","reply":"yes","prompt":"Paris?"}`, false, `{"reference"`, 0.0, 0.0, true},
		{"prompt included", `{"reference":"Paris","reply":"yes","prompt":"Paris"}`, true, `{"reference"`, 1.0, 2.0 / 3, true},
		{"null options", `{"reference":"Paris","reply":"Paris","keyword":null,"aliases":null,"prompt":null}`, false, `{"reference"`, 1.0, 1.0, true},
		{"reference of nothing", `{"reference":"...","reply":"Paris"}`, false, `{"reference":"..."`, nil, 0.0, false},
		{"numbers", `{"reference":"1969","reply":"in 1969"}`, false, `{"reference":"1969"`, 1.0, 2.0 / 3, false},
		{"lone surrogate, NUL, invalid UTF-8", `{"reference":"Paris","reply":"\ud800\u0000` + "\xff" + ` Paris"}`, false, `{"reference":"Paris", "reply":"\ud800\u0000` + "�" + ` Paris"`, 1.0, 1.0, true},
		{"mark of order", "\ufeff" + `{"reference":"Paris","reply":"Paris"}` + "\r\n", false, `{"reference"`, 1.0, 1.0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := pairsOf(t, test.in, Config{IncludePrompt: test.prompt})
			if !strings.HasPrefix(got, test.kept) {
				t.Errorf("wrote %s, want %s…", got, test.kept)
			}
			var line struct{ Scores map[string]any }
			if err := json.Unmarshal([]byte(got), &line); err != nil {
				t.Fatalf("%s: %v", got, err)
			}
			if len(line.Scores) != len(metrics.All()) {
				t.Errorf("%d scores, want all %d", len(line.Scores), len(metrics.All()))
			}
			if line.Scores[metrics.EM] != test.em || !almost(line.Scores[metrics.RougeLF1], test.f1) {
				t.Errorf("em %v, f1 %v; want %v, %v", line.Scores[metrics.EM], line.Scores[metrics.RougeLF1], test.em, test.f1)
			}
			if (line.Scores[metrics.Cosine] != nil) != test.cosine || line.Scores[metrics.CosineLift] != nil {
				t.Errorf("cosine %v, lift %v; want a cosine: %v", line.Scores[metrics.Cosine], line.Scores[metrics.CosineLift], test.cosine)
			}
		})
	}
}

func almost(a, b any) bool {
	x, ok := a.(float64)
	y, alsoOK := b.(float64)
	return ok && alsoOK && math.Abs(x-y) < 1e-12
}

func TestScorePairsBadInput(t *testing.T) {
	good := `{"reference":"Paris","reply":"Paris"}` + "\n"
	for in, want := range map[string]string{
		`{"reference":"Paris"`:                             "not JSON",
		`{"reference":"Paris","reply":"x"} {}`:             "not JSON",
		`["reference"]`:                                    "want an object",
		`{"reference":"Paris"}`:                            `"reply" is missing`,
		`{"reply":"Paris"}`:                                `"reference" is missing`,
		`{"Reference":"Paris","reply":"x"}`:                `"reference" is missing`,
		`{"reference":null,"reply":"x"}`:                   `"reference" is missing`,
		`{"reference":1,"reply":"x"}`:                      `"reference" is not a string`,
		`{"reference":"a","reply":"x","aliases":"b"}`:      `"aliases" is not a list`,
		`{"reference":"a","reply":"x","aliases":[null]}`:   `"aliases" is not a list`,
		`{"reference":"a","reply":"x","keyword":["b"]}`:    `"keyword" is not a string`,
		`{"reference":"a","reply":"x","reference":"b"}`:    `"reference" appears twice`,
		`{"reference":"a","reply":"` + "\x00" + `"}`:       "not JSON",
		`{"reference":"a","reply":"x","unknown":1,"z":[}}`: "not JSON",
	} {
		var out bytes.Buffer
		err := Pairs(t.Context(), strings.NewReader(good+"\n"+good+in+"\n"+good), &out, Config{})
		var bad LineError
		if !errors.As(err, &bad) || bad.Line != 4 || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want line 4: %s", in, err, want)
		}
		if n := strings.Count(out.String(), "\n"); n != 2 {
			t.Errorf("%s: %d lines written before it, want 2", in, n)
		}
	}
}

func TestScorePairsOrder(t *testing.T) {
	var in bytes.Buffer
	const n = 20000
	for i := range n {
		fmt.Fprintf(&in, `{"id":%d,"reference":"Paris","reply":"%s"}`+"\n", i, strings.Repeat("Paris ", i%50))
	}
	s := bufio.NewScanner(strings.NewReader(pairsOf(t, in.String(), Config{})))
	i := 0
	for ; s.Scan(); i++ {
		if !strings.HasPrefix(s.Text(), fmt.Sprintf(`{"id":%d, `, i)) {
			t.Fatalf("line %d is %s", i, s.Text())
		}
	}
	if i != n {
		t.Errorf("%d lines, want %d", i, n)
	}
}

// TestScorePairsLongLines has one line that is long and one that is too long.
func TestScorePairsLongLines(t *testing.T) {
	long := `{"reference":"Paris","reply":"` + strings.Repeat(" ", 10_000_000) + `Paris"}` + "\n"
	tooLong := io.MultiReader(strings.NewReader(long+`{"reference":"Paris","reply":"`), endless{})
	var out bytes.Buffer
	err := Pairs(t.Context(), tooLong, &out, Config{})
	var bad LineError
	if !errors.As(err, &bad) || bad.Line != 2 {
		t.Errorf("error %v, want one of line 2", err)
	}
	if !strings.Contains(out.String(), `"em": 1,`) {
		t.Error("the long line was not scored")
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

// TestScorePairsAnswersAtOnce feeds one line and waits for its answer.
func TestScorePairsAnswersAtOnce(t *testing.T) {
	in, feed := io.Pipe()
	answer, out := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- Pairs(t.Context(), in, out, Config{}) }()
	fmt.Fprintln(feed, `{"reference":"Paris","reply":"Paris"}`)
	line, err := bufio.NewReader(answer).ReadString('\n')
	if err != nil || !strings.Contains(line, `"em": 1`) {
		t.Errorf("answer %q, %v", line, err)
	}
	feed.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func FuzzScorePairs(f *testing.F) {
	f.Add([]byte(`{"reference":"Paris","reply":"is Paris, \ud800","aliases":["x"]}`))
	f.Add([]byte("\n{}\n[1,{\"a\":\"}\"}]"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		err := Pairs(t.Context(), bytes.NewReader(in), &out, Config{})
		var bad LineError
		if err != nil && !errors.As(err, &bad) {
			t.Errorf("%q: %v", in, err)
		}
		for _, line := range bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n")) {
			if len(line) > 0 && !json.Valid(line) {
				t.Errorf("%q: wrote %s", in, line)
			}
		}
	})
}

// 100,000 short replies are to take less than 4 s on two cores.
func BenchmarkScorePairs(b *testing.B) {
	var in bytes.Buffer
	for i := range 10_000 {
		fmt.Fprintf(&in, `{"id":%d,"reference":"Mount Everest","reply":" is Mount Everest, which is located in the northwest corner of the village of Kahuna, `+
			`and whose summit has been climbed by more than %d people since the first two of them came back from it in the spring."}`+"\n", i, i)
	}
	for b.Loop() {
		if err := Pairs(b.Context(), bytes.NewReader(in.Bytes()), io.Discard, Config{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(10_000*float64(b.N)/b.Elapsed().Seconds(), "replies/s")
}
