package html

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"iter"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/stat"
	"github.com/disteval/disteval/reports"
)

var update = flag.Bool("update", false, "rewrite golden files")

// render writes a page without the chart library's million bytes.
func render(t testing.TB, r reports.Report, trend ...reports.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(t.Context(), &b, r, trend, newLibrary("/* charts */")); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// block returns the JSON of a data block, checked.
func block[T any](t testing.TB, page, attribute string) T {
	t.Helper()
	_, rest, found := strings.Cut(page, `<script type="application/json" `+attribute+`>`)
	if !found {
		t.Fatalf("no block %s", attribute)
	}
	text, _, _ := strings.Cut(rest, "</script>")
	var value T
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("block %s: %v in %.200s", attribute, err, text)
	}
	return value
}

func TestGolden(t *testing.T) {
	inAttribute := strings.NewReplacer("'", "&#39;", "+", "&#43;").Replace
	for name, page := range map[string]string{
		"testdata/report.html": render(t, sampleReport(4)),
		"testdata/trend.html":  render(t, laterReport(), sampleReport(2), laterReport()),
	} {
		page = strings.NewReplacer(ownOfFew().css, "/* app.css */", ownOfFew().js, "/* app.js */",
			inAttribute(ownOfFew().cssHash), "sha256-css", inAttribute(ownOfFew().jsHash), "sha256-js").Replace(page)
		if *update {
			if err := os.WriteFile(name, []byte(page), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), page); d != "" {
			t.Errorf("%s (-want +got; rewrite with -update):\n%s", name, d)
		}
	}
}

// TestPairLeadsWithWhatChanged wants both texts of a changed query before
// anything else of the page, as text.
func TestPairLeadsWithWhatChanged(t *testing.T) {
	c := reports.Changes{Before: "one", After: "two", Differences: []string{"model student digest: was <b>x</b>, now y"}, Others: []string{"gone"}}
	m := reports.ModelChanges{Paired: reports.Paired{Model: "student"}, Asked: 2}
	for _, text := range hostile {
		m.NewlyWrong = append(m.NewlyWrong, reports.Change{Query: "q", Prompt: text, Keyword: text, Before: text, Reply: text})
	}
	for range mostChanged + 7 {
		m.NewlyRight = append(m.NewlyRight, reports.Change{Query: "q", Before: "then", Reply: "now"})
	}
	m.Scores = []reports.MetricChange{{Metric: metrics.EM, Title: "EM", PHolm: ptr(0.4), Comparison: stat.Comparison{N: 20, P: 0.2, Difference: -0.1, Lo: -0.2, Hi: 0.05, HasInterval: true}}}
	c.Models = []reports.ModelChanges{m}
	var b strings.Builder
	if err := WritePair(t.Context(), &b, []reports.Report{sampleReport(2), laterReport()}, c); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	changes, headlines, trend := strings.Index(page, `id="changes"`), strings.Index(page, `id="headlines"`), strings.Index(page, `id="trend"`)
	if changes < 0 || changes > headlines || headlines > trend {
		t.Errorf("what changed stands at %d, the headlines at %d, the trend at %d", changes, headlines, trend)
	}
	section := page[changes:headlines]
	for _, want := range []string{"-0.100 [-0.200, 0.050]", "0.400", "noise", "was &lt;b&gt;x&lt;/b&gt;", "<code>gone</code>", "7 more are left out here", "then"} {
		if !strings.Contains(section, want) {
			t.Errorf("what changed does not say %q", want)
		}
	}
	for _, bad := range []string{"<script>", "<img", "<svg", "\u202e", "\x1b"} {
		if strings.Contains(section, bad) {
			t.Errorf("%q reaches the page", bad)
		}
	}
	if strings.Contains(render(t, laterReport(), sampleReport(2), laterReport()), `id="changes"`) {
		t.Error("a trend without a pair has the section")
	}
}

// hostile is what a model, a server or a file may say.
var hostile = []string{
	`</script><script>window.hacked = 1</script>`,
	`<!--<script>`, `]]>`, `<img src=x onerror="window.hacked = 1">`, `"><svg onload=window.hacked=1>`, `javascript:window.hacked=1`,
	"line\u2028and\u2029paragraph", "\u202egnp.exe\u2066", "a\x00b\x07c\x1b[31mred\x1b]0;title\x07", "lone \xed\xa0\x80 surrogate \xff",
	`{{.JS}} ${window.hacked=1} {a|b}`, "=1+1", "::error::x", "%0A", strings.Repeat("é😀", 12_000),
}

// hostileReport has hostile text wherever others than us write.
func hostileReport() reports.Report {
	r := sampleReport(len(hostile))
	all := strings.Join(hostile[:len(hostile)-1], " ")
	r.RunID, r.Plan.Source, r.Host.Hostname, r.ToolVersion = all, all, all, all
	r.Queries.Name, r.PlanHash = all, all
	r.Warnings, r.Headlines, r.Audit = []string{all}, []string{all}, []string{all}
	for i := range r.Models {
		m := &r.Models[i]
		m.Model.Name += all
		m.Model.Template, m.Model.Digest, m.GaveUp, m.Energy.Reason = all, all, all, all
		m.Energy.Zones = []emissions.Zone{{Name: all, Note: all}}
	}
	r.Categories[0].Name = all
	r.Published[0].Model = all
	names := r.Models
	r.Replies = func(context.Context) iter.Seq2[eval.ScoredReply, error] {
		return func(yield func(eval.ScoredReply, error) bool) {
			for m := range names {
				for i, text := range hostile {
					s := sampleReply(0, i)
					s.Reply.JobID.Model = names[m].Model.Name
					s.Reply.Text, s.Reply.DoneReason, s.Flags = text, text, []string{all}
					s.Query.Prompt, s.Query.Category, s.Query.Reference, s.Query.Aliases = text, all, text, []string{text}
					s.Query.Keyword = "red"
					if m == 1 {
						s.Reply.Failure = &eval.Failure{Kind: eval.FailStatus, Message: text}
					}
					if !yield(s, nil) {
						return
					}
				}
			}
		}
	}
	return r
}

func TestHostileText(t *testing.T) {
	page := render(t, hostileReport())
	if n := strings.Count(page, "<script"); n != strings.Count(page, "</script") {
		t.Errorf("%d script elements opened, another number closed", n)
	}
	own := strings.Replace(page, ownOfFew().js, "", 1)
	for _, bad := range []string{"<img", "<svg", "<!--", "onerror=\"", "\u2028", "\u202e", "\x00", "\x1b", "\xff"} {
		if strings.Contains(own, bad) {
			at := strings.Index(own, bad)
			t.Errorf("page holds %q: …%.80q", bad, own[max(0, at-40):])
		}
	}
	rows := block[[][]any](t, page, `class="replies"`)
	for i, want := range hostile[:len(hostile)-1] {
		if got := rows[i][2]; got != strings.ToValidUTF8(want, "\ufffd") && !strings.Contains(want, "\xff") {
			t.Errorf("reply %d came back as %q, want %q", i, got, want)
		}
	}
	last := rows[len(hostile)-1]
	if n := len([]rune(last[2].(string))); n != mostChars || last[3] != 24_000.0 {
		t.Errorf("long reply: %d characters shown of %v", n, last[3])
	}
}

func TestSpansAreUTF16(t *testing.T) {
	const shown = "😀 é \xff Paris the cap"
	// 😀 is two units, the byte that is no UTF-8 one; a span that goes on where
	// the text is cut ends there.
	spans := []reports.Span{{Start: 10, End: 15}, {Start: 16, End: 19}, {Start: 20, End: 27}, {Start: 28, End: 30}}
	if d := cmp.Diff([]int{9, 7, 12, 13, 16, 17, 20}, appendSpans([]int{9}, shown, spans)); d != "" {
		t.Errorf("offsets (-want +got): %s", d)
	}
}

func TestFailuresAreNoZeros(t *testing.T) {
	rows := block[[][]any](t, render(t, sampleReport(4)), `class="replies"`)
	failed := rows[11]
	if failed[5] != "timeout" || failed[6] != "no answer within 30s" || len(failed[7].([]any)) != 0 {
		t.Errorf("failure is stored as %v", failed)
	}
}

func TestWriteErrors(t *testing.T) {
	if err := WriteTrend(t.Context(), io.Discard, nil); err == nil {
		t.Error("no run: no error")
	}
	r := sampleReport(1)
	broken := errors.New("disk gone")
	r.Replies = func(context.Context) iter.Seq2[eval.ScoredReply, error] {
		return func(yield func(eval.ScoredReply, error) bool) { yield(eval.ScoredReply{}, broken) }
	}
	if err := Write(t.Context(), io.Discard, r); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
	if err := Write(t.Context(), full{}, sampleReport(2000)); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("full disk: error %v", err)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// An empty report is a page, too.
func TestEmptyReport(t *testing.T) {
	page := render(t, reports.Report{})
	if !strings.Contains(page, "Nothing has been scored") {
		t.Error("page of an empty report does not say that nothing is scored")
	}
	if block[[]any](t, page, `id="queries"`) == nil {
		t.Error("no empty list of queries")
	}
}

// Energies obtained differently are shown, never ranked.
func TestEnergyOfDifferentQualityIsNotRanked(t *testing.T) {
	r := sampleReport(1)
	r.Models[1].Energy.Quality = emissions.Estimated
	f := energyTradeoff(r)
	if !strings.Contains(f.Note, "not ranked") {
		t.Errorf("note %q", f.Note)
	}
	for _, row := range f.Table.Rows {
		if row[4] != reports.None {
			t.Errorf("%s is ranked: %s", row[0], row[4])
		}
	}
}

func TestPareto(t *testing.T) {
	em := func(mean float64) (m reports.Metric) { m.N, m.Mean = 1, mean; return m }
	costs := []cost{{model: 0, x: 10, em: em(0.9)}, {model: 1, x: 1, em: em(0.5)}, {model: 2, x: 5, em: em(0.4)}, {model: 3, x: 1, em: em(0.5)}}
	var got []int
	for _, c := range pareto(costs) {
		got = append(got, c.model)
	}
	if d := cmp.Diff([]int{1, 3, 0}, got); d != "" {
		t.Errorf("front (-want +got): %s", d)
	}
}

// newLibrary is a script in place of ECharts.
func newLibrary(script string) library {
	return library{fstest.MapFS{echartsFile: {Data: []byte(script)}}, cspHash(script)}
}

func TestLibrary(t *testing.T) {
	script, err := assets.ReadFile(echartsFile)
	if err != nil {
		skip(t, "built without "+echartsFile+": run make assets")
	}
	if got := cspHash(string(script)); got != echartsHash {
		t.Errorf("%s has the hash %s, want %s of version %s", echartsFile, got, echartsHash, echartsVersion)
	}
	long := sha512.Sum384(script)
	if got := "sha384-" + base64.StdEncoding.EncodeToString(long[:]); got != echartsIntegrity {
		t.Errorf("integrity %s, want %s", got, echartsIntegrity)
	}
	if regexp.MustCompile(`(?i)</script|<!--`).Match(script) {
		t.Error("the library cannot stand in a script element")
	}
}

func TestWithoutLibrary(t *testing.T) {
	var b bytes.Buffer
	if err := write(t.Context(), &b, sampleReport(2), nil, library{}); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{`<script src="` + echartsURL + `" integrity="` + echartsIntegrity + `" crossorigin="anonymous">`,
		"script-src " + strings.ReplaceAll(ownOfFew().jsHash, "'", "&#39;"), "without the chart library"} {
		if !strings.Contains(strings.ReplaceAll(page, "&#43;", "+"), want) {
			t.Errorf("page lacks %s", want)
		}
	}
}

func TestSize(t *testing.T) {
	var b bytes.Buffer
	if err := Write(t.Context(), &b, sampleReport(200)); err != nil {
		t.Fatal(err)
	}
	if b.Len() >= 3_000_000 {
		t.Errorf("600 replies make %d bytes", b.Len())
	}
}

func FuzzString(f *testing.F) {
	for _, s := range hostile[:len(hostile)-1] {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		encoded := appendString(nil, s)
		if i := bytes.IndexAny(encoded, "<>&\u2028\u2029\x00\x1b\n\r"); i >= 0 {
			t.Errorf("%q is encoded as %q", s, encoded)
		}
		var back string
		if err := json.Unmarshal(encoded, &back); err != nil {
			t.Fatalf("%q is encoded as %q: %v", s, encoded, err)
		}
		if want := string([]rune(s)); back != want {
			t.Errorf("%q came back as %q", want, back)
		}
	})
}

func benchmark(b *testing.B, replies int) {
	r := sampleReport(0)
	made := make([]eval.ScoredReply, 600)
	for i := range made {
		made[i] = sampleReply(i/200, i%200)
	}
	r.Replies = func(context.Context) iter.Seq2[eval.ScoredReply, error] {
		return func(yield func(eval.ScoredReply, error) bool) {
			for i := range replies {
				if !yield(made[i%len(made)], nil) {
					return
				}
			}
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := Write(b.Context(), io.Discard, r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrite2000(b *testing.B)   { benchmark(b, 2_000) }
func BenchmarkWrite100000(b *testing.B) { benchmark(b, 100_000) }

// TestWordsReadWell: nothing is said twice, and no figure of energy needs an
// exponent.
func TestWordsReadWell(t *testing.T) {
	r := sampleReport(2)
	for i := range r.Models {
		m := &r.Models[i]
		m.Model.ProviderVersion = "ollama 0.17.4"
		m.Energy.Quality, m.Energy.Method, m.Energy.WhPerCorrect = emissions.Estimated, "estimate", ptr(0.00000213)
	}
	page := render(t, r)
	for _, said := range []string{"ollama ollama", "estimated by estimate", "e-06"} {
		if strings.Contains(page, said) {
			t.Errorf("the page says %q", said)
		}
	}
	for _, want := range []string{"2.13 µWh", "p &lt; 0.001, corrected"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}
