package junit_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"iter"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/queries"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/junit"
)

var update = flag.Bool("update", false, "write the golden files")

const hostile = "a]]>b</failure><testcase/>\x00\x1b[31m\u202e\ufffe\xff&amp; \"'\r\n"

func sample(text string) reports.Report {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	outcome := func(query, text string, em float64, status metrics.Status, failure *eval.Failure) eval.ScoredReply {
		return eval.ScoredReply{
			Reply: eval.Reply{JobID: eval.JobID{Model: "student", Query: query}, Text: text, Failure: failure,
				Timing: eval.Timing{Start: start, End: start.Add(1500 * time.Millisecond), Attempts: 1}},
			Query:  queries.Query{ID: query, Prompt: "The capital of France is", Keyword: "Paris"},
			Scores: []metrics.Score{{Metric: metrics.EM, Value: em, Status: status, Reason: "no words"}},
		}
	}
	list := []eval.ScoredReply{
		outcome("q1", " Paris", 1, metrics.Scored, nil),
		outcome("q2", text, 0, metrics.Scored, nil),
		outcome("q3", "", 0, metrics.Unscored, &eval.Failure{Kind: eval.FailTimeout, Message: text}),
		outcome("q4", "", 0, metrics.Unscored, nil),
	}
	return reports.Report{
		RunID: "run-1", Status: reports.Partial, Models: []reports.Model{{Model: eval.Model{Name: "student"}, Missing: 1}},
		Replies: func(context.Context) iter.Seq2[eval.ScoredReply, error] {
			return func(yield func(eval.ScoredReply, error) bool) {
				for _, r := range list {
					if !yield(r, nil) {
						return
					}
				}
			}
		},
	}
}

func judgement(text string) *reports.Judgement {
	return &reports.Judgement{Checks: []reports.Check{
		{Measure: "status", Expected: "complete", Got: "complete", Outcome: reports.Pass},
		{Model: "student", Measure: "em", Expected: "0.72 ± 0.02", Got: "0.5", Outcome: reports.Regression, Reason: text},
		{Model: "student", Measure: "query", Query: "q2", Expected: "right", Got: reports.None, Outcome: reports.Inconclusive, Reason: text},
		{Model: "student", Measure: "cosine", Expected: "0.5 ± 0.1", Got: "0.9", Outcome: reports.Improved},
	}}
}

func written(t *testing.T, r reports.Report, v *reports.Judgement) []byte {
	t.Helper()
	var b bytes.Buffer
	write := junit.WriteReplies
	if r.Judgement = v; v != nil {
		write = junit.Write
	}
	if err := write(t.Context(), &b, r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type suites struct {
	Suites []struct {
		Name   string     `xml:"name,attr"`
		Stated []xml.Attr `xml:",any,attr"`
		Cases  []struct {
			Name    string `xml:"name,attr"`
			Failure *struct {
				Text string `xml:",chardata"`
			} `xml:"failure"`
			Error   *struct{} `xml:"error"`
			Skipped *struct{} `xml:"skipped"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

func read(t *testing.T, data []byte) suites {
	t.Helper()
	var s suites
	if err := xml.Unmarshal(data, &s); err != nil {
		t.Fatalf("%v in\n%s", err, data)
	}
	return s
}

func TestGolden(t *testing.T) {
	for file, got := range map[string][]byte{
		"replies.xml": written(t, sample(" Lyon"), nil),
		"checks.xml":  written(t, sample(" Lyon"), judgement("95 % interval [0.4, 0.6]")),
	} {
		path := "testdata/" + file
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func TestCountsAreWhatStandsThere(t *testing.T) {
	for _, v := range []*reports.Judgement{nil, judgement("worse")} {
		for _, suite := range read(t, written(t, sample(" Lyon"), v)).Suites {
			got := map[string]int{"tests": len(suite.Cases)}
			for _, c := range suite.Cases {
				for kind, is := range map[string]bool{"failures": c.Failure != nil, "errors": c.Error != nil, "skipped": c.Skipped != nil} {
					if is {
						got[kind]++
					}
				}
			}
			for _, a := range suite.Stated {
				if a.Value != string(rune('0'+got[a.Name.Local])) {
					t.Errorf("suite %s states %s=%s, has %d", suite.Name, a.Name.Local, a.Value, got[a.Name.Local])
				}
			}
		}
	}
}

func TestPartialRunIsAnError(t *testing.T) {
	s := read(t, written(t, sample(" Lyon"), nil))
	if s.Suites[0].Cases[0].Error == nil {
		t.Error("a run with a query without an outcome has no error")
	}
}

func TestHostileTextStaysText(t *testing.T) {
	data := written(t, sample(hostile), nil)
	s := read(t, data)
	if n := len(s.Suites[1].Cases); n != 4 {
		t.Fatalf("%d tests, want 4: %s", n, data)
	}
	if text := s.Suites[1].Cases[1].Failure.Text; !strings.Contains(text, "a]]>b</failure><testcase/>") || !strings.Contains(text, `\x00\x1b[31m\u202e`) {
		t.Errorf("the failure reads %q", text)
	}
	if bytes.Contains(data, []byte("]]>")) {
		t.Error("]]> stands in the file")
	}
}

func TestReadErrorIsTold(t *testing.T) {
	r := sample("x")
	broken := errors.New("disk gone")
	r.Replies = func(context.Context) iter.Seq2[eval.ScoredReply, error] {
		return func(yield func(eval.ScoredReply, error) bool) { yield(eval.ScoredReply{}, broken) }
	}
	if err := junit.WriteReplies(t.Context(), io.Discard, r); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

func FuzzWrite(f *testing.F) {
	f.Add(hostile)
	f.Fuzz(func(t *testing.T, text string) {
		if s := read(t, written(t, sample(text), nil)); len(s.Suites) != 2 || len(s.Suites[1].Cases) != 4 {
			t.Errorf("%q made other tests: %+v", text, s)
		}
		if s := read(t, written(t, sample(text), judgement(text))); len(s.Suites[0].Cases) != 4 {
			t.Errorf("%q made other tests: %+v", text, s)
		}
	})
}
