package reports

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/queries"
)

// marked is a reply with its spans in brackets: [] the keyword, {} shared words.
func marked(reply string, spans Spans) (keyword, shared []string) {
	for _, s := range spans.Keyword {
		keyword = append(keyword, reply[s.Start:s.End])
	}
	for _, s := range spans.Shared {
		shared = append(shared, reply[s.Start:s.End])
	}
	return keyword, shared
}

func TestMark(t *testing.T) {
	q := queries.Query{Prompt: "The capital of France is", Keyword: "Paris", Reference: "Paris is the capital"}
	for _, test := range []struct {
		name            string
		prompt          string
		reply           string
		em              float64
		includePrompt   bool
		keyword, shared []string
	}{
		{name: "the reply alone", reply: " 😀 Paris the capital", em: 1, keyword: []string{"Paris"}, shared: []string{"Paris", "the", "capital"}},
		{name: "em has not found it", reply: " Paris the capital", em: 0, shared: []string{"Paris", "the", "capital"}},
		{name: "with the prompt", reply: " Paris, the city", em: 1, includePrompt: true, keyword: []string{"Paris"}},
		{name: "the keyword is in the prompt", prompt: "Paris is", reply: " the capital", em: 1, includePrompt: true, shared: []string{"the", "capital"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			q := q
			if test.prompt != "" {
				q.Prompt = test.prompt
			}
			r := Report{Scoring: &eval.ScoringRecord{Scoring: eval.Scoring{IncludePrompt: test.includePrompt}}}
			s := eval.ScoredReply{Query: q, Reply: eval.Reply{Text: test.reply},
				Scores: []metrics.Score{{Metric: metrics.EM, Value: test.em, Status: metrics.Scored}}}
			keyword, shared := marked(test.reply, r.Marker().Mark(s))
			if diff := cmp.Diff(test.keyword, keyword); diff != "" {
				t.Errorf("keyword (-want +got):\n%s", diff)
			}
			if test.shared != nil {
				if diff := cmp.Diff(test.shared, shared); diff != "" {
					t.Errorf("shared (-want +got):\n%s", diff)
				}
			}
			s.Reply.Failure = &eval.Failure{Kind: eval.FailTimeout}
			if spans := r.Marker().Mark(s); len(spans.Keyword)+len(spans.Shared) > 0 {
				t.Errorf("a failure is marked: %+v", spans)
			}
		})
	}
}

func FuzzMark(f *testing.F) {
	f.Add("The capital is", "Paris", "the capital Paris", "in 😀 Paris \xff the capital", true)
	f.Add("\xff", "a", "a", "\xffa", true)
	f.Fuzz(func(t *testing.T, prompt, keyword, reference, reply string, include bool) {
		r := Report{Scoring: &eval.ScoringRecord{Scoring: eval.Scoring{IncludePrompt: include}}}
		spans := r.Marker().Mark(eval.ScoredReply{
			Query:  queries.Query{Prompt: prompt, Keyword: keyword, Reference: reference},
			Reply:  eval.Reply{Text: reply},
			Scores: []metrics.Score{{Metric: metrics.EM, Value: 1, Status: metrics.Scored}},
		})
		for _, list := range [][]Span{spans.Keyword, spans.Shared} {
			at := 0
			for _, s := range list {
				if s.Start < at || s.End < s.Start || s.End > len(reply) {
					t.Fatalf("spans %v of %q", list, reply)
				}
				at = s.End
			}
		}
	})
}
