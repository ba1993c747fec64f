package text

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"iter"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

func written(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	ctx, r, v := context.Background(), sample(), judgement()
	judged := r
	judged.Judgement = &v
	for file, write := range map[string]func(io.Writer) error{
		"summary.json":    func(w io.Writer) error { return WriteSummaryJSON(t.Context(), w, r) },
		"replies.jsonl":   func(w io.Writer) error { return WriteRepliesJSONL(ctx, w, r) },
		"replies.csv":     func(w io.Writer) error { return WriteCSV(ctx, w, r) },
		"summary.md":      func(w io.Writer) error { return WriteMarkdown(ctx, w, r) },
		"gate.md":         func(w io.Writer) error { return WriteMarkdown(ctx, w, judged) },
		"table.txt":       func(w io.Writer) error { return WriteTable(w, r, false) },
		"judgement.txt":   func(w io.Writer) error { return WriteJudgement(w, v, false) },
		"annotations.txt": func(w io.Writer) error { return WriteAnnotations(w, v) },
	} {
		golden(t, file, written(t, write))
	}
}

func TestSummaryHasEveryMetricAndNoZeroForNothing(t *testing.T) {
	var got struct {
		Schema string
		Models []struct {
			Metrics map[string]struct {
				N    *int
				Mean *float64
				CI95 []float64 `json:"ci95"`
			}
			DurationS *float64 `json:"duration_s"`
			Energy    map[string]any
		}
		Comparisons []struct{ Difference, P *float64 }
	}
	out := written(t, func(w io.Writer) error { return WriteSummaryJSON(t.Context(), w, sample()) })
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if got.Schema != "disteval.summary/1" || !strings.HasSuffix(out, "}\n") {
		t.Errorf("schema %q, end %q", got.Schema, out[len(out)-3:])
	}
	for _, m := range metrics.All() {
		student, ok := got.Models[1].Metrics[m.Name]
		if !ok || student.N == nil || *student.N != 0 || student.Mean != nil || student.CI95 != nil {
			t.Errorf("%s of nothing: %+v", m.Name, student)
		}
		if teacher := got.Models[0].Metrics[m.Name]; teacher.Mean == nil || *teacher.Mean != 0.5 || len(teacher.CI95) != 2 {
			t.Errorf("%s: %+v", m.Name, teacher)
		}
	}
	if got.Models[1].DurationS != nil || got.Comparisons[0].Difference != nil || got.Comparisons[0].P != nil || got.Comparisons[1].P == nil {
		t.Errorf("what is not there has a value: %s", out)
	}
	for _, key := range []string{"quality", "method", "reason", "wh", "low_wh", "high_wh", "wh_per_1000_queries", "wh_per_correct",
		"j_per_token", "mean_w", "zones", "gaps", "above_idle_wh", "server_share"} {
		if _, ok := got.Models[1].Energy[key]; !ok {
			t.Errorf("energy has no key %s", key)
		}
	}
}

func TestNumbersThatAreNoneAreNull(t *testing.T) {
	r := sample()
	r.Models[0].DurationS, r.Models[0].TokensPerS = ptr(math.NaN()), ptr(math.Inf(1))
	r.Models[0].Metrics[0].Mean = math.NaN()
	s := scored("x")
	s.Scores[0].Value = math.NaN()
	r.Replies = replies(s)
	out := written(t, func(w io.Writer) error { return WriteSummaryJSON(t.Context(), w, r) })
	lines := written(t, func(w io.Writer) error { return WriteRepliesJSONL(context.Background(), w, r) })
	for _, want := range []string{`"duration_s": null`, `"tokens_per_s": null`} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in %s", want, out)
		}
	}
	if !json.Valid([]byte(lines)) || !strings.Contains(lines, `"em":null`) {
		t.Errorf("line %s", lines)
	}
}

func TestRepliesKeepTheText(t *testing.T) {
	r := sample()
	r.Replies = replies(scored(hostile), failure(hostile))
	out := written(t, func(w io.Writer) error { return WriteRepliesJSONL(context.Background(), w, r) })
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines", len(lines))
	}
	var got struct {
		Text    string
		Failure *struct{ Kind, Message string }
		Scores  map[string]*float64
		Tokens  map[string]*int
	}
	if err := json.Unmarshal([]byte(lines[0]), &got); err != nil {
		t.Fatal(err)
	}
	want := string([]rune(hostile)) // U+FFFD for each byte that is no UTF-8
	if got.Text != want || got.Failure != nil || len(got.Scores) != len(metrics.All()) || got.Scores["cosine_lift"] != nil {
		t.Errorf("read back %+v", got)
	}
	if err := json.Unmarshal([]byte(lines[1]), &got); err != nil {
		t.Fatal(err)
	}
	if got.Failure == nil || got.Failure.Message != want || got.Tokens["prompt"] != nil || got.Scores["em"] != nil {
		t.Errorf("read back %+v", got)
	}
	for _, bad := range []string{"</script", "\x1b", "\u202e", "\x00", "\u0085"} {
		if strings.Contains(out, bad) {
			t.Errorf("raw %q in the line", bad)
		}
	}
}

// hostileReport has the hostile text wherever text comes from elsewhere.
func hostileReport() (reports.Report, reports.Judgement) {
	r, v := sample(), judgement()
	r.Models[0].Model.Name, r.Models[1].GaveUp = hostile, hostile
	r.Headlines, r.Warnings, r.Queries.Name = []string{hostile}, []string{hostile}, hostile
	r.Comparisons[0].Model = hostile
	r.Models[0].Energy.Method = hostile
	s := scored(hostile)
	s.Query.Prompt, s.Query.Keyword = "+1", "@SUM(A1)"
	s.Reply.JobID.Model = hostile
	r.Replies = replies(s, failure("-1+1"))
	v.Baseline, v.Unjudged = hostile, []string{hostile}
	for i := range v.Checks {
		c := &v.Checks[i]
		c.Model, c.Reason, c.Query, c.Got = hostile, hostile, hostile, hostile
	}
	for i := range v.Paired[0].NewlyWrong {
		v.Paired[0].NewlyWrong[i] = reports.Change{Query: hostile, Prompt: hostile, Keyword: hostile, Reply: hostile}
	}
	return r, v
}

func TestHostileTextOnTheTerminal(t *testing.T) {
	r, v := hostileReport()
	for _, out := range []string{
		written(t, func(w io.Writer) error { return WriteTable(w, r, false) }),
		written(t, func(w io.Writer) error { return WriteJudgement(w, v, false) }),
		written(t, func(w io.Writer) error { return WriteAnnotations(w, v) }),
	} {
		if i := strings.IndexFunc(out, func(r rune) bool { return r != '\n' && reports.Hidden(r) }); i >= 0 || !utf8.ValidString(out) {
			t.Errorf("invisible %q in %s", out[i:min(len(out), i+8)], out)
		}
		if strings.Contains(out, "##[") {
			t.Errorf("a command within %s", out)
		}
	}
	for line := range strings.Lines(written(t, func(w io.Writer) error { return WriteJudgement(w, v, false) })) {
		if strings.HasPrefix(strings.TrimSpace(line), "::") {
			t.Errorf("a forged command: %s", line)
		}
	}
}

func TestAnnotationsAreOneLineEach(t *testing.T) {
	_, v := hostileReport()
	out := written(t, func(w io.Writer) error { return WriteAnnotations(w, v) })
	for line := range strings.Lines(out) {
		if !annotation.MatchString(strings.TrimSuffix(line, "\n")) {
			t.Errorf("no annotation of ours: %q", line)
		}
	}
	if n := strings.Count(out, "\n"); n != 4 {
		t.Errorf("%d annotations, want 4", n)
	}
}

func TestHostileTextInMarkdown(t *testing.T) {
	r, v := hostileReport()
	r.Judgement = &v
	out := written(t, func(w io.Writer) error { return WriteMarkdown(t.Context(), w, r) })
	for _, bad := range []string{"<script", "</script", "`", "**b**", "](", "@team", "http:", "www.", "\x1b", "\u202e", "\r", "\x00", "::error"} {
		if strings.Contains(out, bad) {
			t.Errorf("%q stands in the Markdown", bad)
		}
	}
	columns := 0
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "|") {
			columns = 0
			continue
		}
		if n := strings.Count(line, "|"); columns == 0 {
			columns = n
		} else if n != columns {
			t.Errorf("%d bars instead of %d: %s", n, columns, line)
		}
	}
}

func TestCSVHasNoFormula(t *testing.T) {
	r, _ := hostileReport()
	out := written(t, func(w io.Writer) error { return WriteCSV(context.Background(), w, r) })
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 3 {
		t.Fatalf("%d rows", len(rows))
	}
	numeric := slices.Index(rows[0], "prompt_tokens")
	for _, row := range rows[1:] {
		for i, cell := range row[:numeric] {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				t.Errorf("%s begins a formula: %q", rows[0][i], cell)
			}
		}
	}
	if got := rows[1][slices.Index(rows[0], "prompt")]; got != "'+1" {
		t.Errorf("prompt %q", got)
	}
	if got := rows[1][slices.Index(rows[0], "cosine_lift")]; got != "" {
		t.Errorf("an unscored metric has the cell %q", got)
	}
}

func TestTableFits(t *testing.T) {
	r := sample()
	r.Models[0].Model.Name = strings.Repeat("長い名前", 20)
	r.Models[0].Energy.LowWh, r.Models[0].Energy.HighWh = nil, nil
	for line := range strings.Lines(written(t, func(w io.Writer) error { return WriteTable(w, r, false) })) {
		if strings.Contains(line, "…") && columns(strings.TrimSpace(line)) > 80 {
			t.Errorf("%d columns: %s", columns(line), line)
		}
	}
	if out := written(t, func(w io.Writer) error { return WriteTable(w, r, true) }); !strings.Contains(out, "\x1b[1m") {
		t.Error("no colour where it is asked for")
	}
}

// many yields n replies without holding them.
func many(n int) reports.Report {
	r := sample()
	s := scored(strings.Repeat("The capital of France is Paris. ", 8))
	r.Replies = func(context.Context) iter.Seq2[eval.ScoredReply, error] {
		return func(yield func(eval.ScoredReply, error) bool) {
			for range n {
				if !yield(s, nil) {
					return
				}
			}
		}
	}
	return r
}

func TestRepliesStream(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for _, write := range []func(context.Context, io.Writer, reports.Report) error{WriteRepliesJSONL, WriteCSV} {
		if err := write(context.Background(), io.Discard, many(100_000)); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if held := int64(after.HeapSys) - int64(before.HeapSys); held > 64<<20 {
		t.Errorf("the heap grew by %d MB", held>>20)
	}
}

func BenchmarkReplies(b *testing.B) {
	r := many(2000)
	for b.Loop() {
		if err := WriteRepliesJSONL(context.Background(), io.Discard, r); err != nil {
			b.Fatal(err)
		}
	}
}

func TestSummaryHasTheJudgement(t *testing.T) {
	r := sample()
	j := judgement()
	r.Judgement = &j
	var b bytes.Buffer
	if err := WriteSummaryJSON(t.Context(), &b, r); err != nil {
		t.Fatal(err)
	}
	var got struct{ Judgement gateResult }
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	g := got.Judgement
	if g.Status != reports.Inconclusive || g.Counts[reports.Regression] != 2 || g.Counts[reports.Pass] != 1 || *g.Baseline != "run-0" || len(g.Unjudged) != 1 {
		t.Errorf("%+v", g)
	}
	if !slices.Equal(j.Checks, g.Checks) {
		t.Errorf("checks %+v, want %+v", g.Checks, j.Checks)
	}
}
