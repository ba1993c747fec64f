package html

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"regexp"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/queries"
	"github.com/disteval/disteval/reports"
)

// planned gives a made-up report the plan that its replies are of.
func planned(t testing.TB, r reports.Report) reports.Report {
	t.Helper()
	r.Plan.Models, r.Plan.Queries = nil, queries.Set{}
	known := make(map[string]bool)
	for s, err := range r.Replies(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if !known[s.Query.ID] {
			known[s.Query.ID] = true
			r.Plan.Queries.Queries = append(r.Plan.Queries.Queries, s.Query)
		}
	}
	for _, m := range r.Models {
		r.Plan.Models = append(r.Plan.Models, m.Model)
	}
	r.Queries.N = len(r.Plan.Queries.Queries)
	return r
}

// manyPage is the page of a report as that of very many replies, with so many
// bytes for them.
func manyPage(t testing.TB, w io.Writer, r reports.Report, budget int, lib library) error {
	t.Helper()
	p := newPage(r, nil, lib)
	p.Many, p.own = true, ownOf(true)
	out := bufio.NewWriter(w)
	if err := templates().ExecuteTemplate(out, "head", p); err != nil {
		return err
	}
	if err := errors.Join(writeCharts(out, p.figures()), writeMany(t.Context(), out, r, budget), templates().ExecuteTemplate(out, "tail", p)); err != nil {
		return err
	}
	return out.Flush()
}

func renderMany(t *testing.T, r reports.Report, budget int) string {
	t.Helper()
	var b bytes.Buffer
	if err := manyPage(t, &b, r, budget, library{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var packedElement = regexp.MustCompile(`<script type="application/octet-stream" (\S+)>([A-Za-z0-9+/=]*)</script>`)

// packed are the unpacked contents of a page's elements of one kind.
func packed(t *testing.T, page, attribute string) [][]byte {
	t.Helper()
	var out [][]byte
	for _, m := range packedElement.FindAllStringSubmatch(page, -1) {
		if m[1] != attribute {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(m[2])
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(flate.NewReader(bytes.NewReader(raw)))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, text)
	}
	return out
}

func TestManyHoldsAllThatFits(t *testing.T) {
	r := planned(t, sampleReport(2_000))
	page := renderMany(t, r, repliesBytes)
	x := block[index](t, page, `id="index"`)
	if x.Queries != 2000 || x.Replies != 6000 || x.Held != 2000 || x.Answered != 2000 || len(x.Categories) != len(sampleCategories) {
		t.Errorf("index %+v", x)
	}
	texts := make(map[[2]int]string)
	parts := packed(t, page, `class="piece"`)
	for _, part := range parts {
		var entries [][]json.RawMessage
		if err := json.Unmarshal(part, &entries); err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			var q int
			var said []json.RawMessage
			if err := errors.Join(json.Unmarshal(e[0], &q), json.Unmarshal(e[5], &said)); err != nil {
				t.Fatal(err)
			}
			for m, s := range said {
				texts[[2]int{m, q}] = string(s)
			}
		}
	}
	if len(parts) < 3 || len(texts) != 6000 {
		t.Fatalf("%d texts in %d pieces", len(texts), len(parts))
	}
	columns := packed(t, page, `id="columns"`)[0]
	at := 0
	for s := range r.Replies(t.Context()) {
		m, q := at/2000, at%2000
		want := "[" + string(appendString(nil, s.Reply.Text)) + ",0,"
		if got := texts[[2]int{m, q}]; !strings.HasPrefix(got, want) {
			t.Fatalf("model %d, query %d says %s, want %s", m, q, got, want)
		}
		if got := binary.LittleEndian.Uint16(columns[2*at:]) & (1<<outcomeBits - 1); got != outcomeOf(s) {
			t.Fatalf("model %d, query %d has the outcome %d, want %d", m, q, got, outcomeOf(s))
		}
		at++
	}
	if page != renderMany(t, r, repliesBytes) {
		t.Error("the same report gives another page")
	}
}

// TestManyKeepsToItsBudget: what is left out is said, and is of the queries that
// show least.
func TestManyKeepsToItsBudget(t *testing.T) {
	r := planned(t, sampleReport(6_000))
	whole := renderMany(t, r, repliesBytes)
	budget := 0
	for _, m := range packedElement.FindAllString(whole, -1) {
		budget += len(m)
	}
	budget = budget * 2 / 3
	page := renderMany(t, r, budget)
	size := 0
	for _, m := range packedElement.FindAllString(page, -1) {
		size += len(m)
	}
	x := block[index](t, page, `id="index"`)
	if size > budget || x.Held == 0 || x.Held >= x.Answered || x.Replies != 18_000 {
		t.Fatalf("%d bytes of %d, index %+v", size, budget, x)
	}
	columns := packed(t, page, `id="columns"`)[0]
	piece := func(q int) uint16 { return binary.LittleEndian.Uint16(columns[2*18_000+2*6_000+2*q:]) }
	var held, left [classes]int
	for a, err := range r.ByQuery(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if class := classOf(a); piece(a.Query) > 0 {
			held[class]++
		} else {
			left[class]++
		}
	}
	for class := range classes - 1 {
		if left[class] > 0 && held[class+1] > 0 {
			t.Errorf("class %d lacks %d queries, and class %d has %d", class, left[class], class+1, held[class+1])
		}
	}
}

func TestManyEscapesHostileText(t *testing.T) {
	page := renderMany(t, planned(t, hostileReport()), repliesBytes)
	if n := strings.Count(page, "<script"); n != strings.Count(page, "</script") {
		t.Errorf("%d script elements opened, another number closed", n)
	}
	own := strings.Replace(page, ownOfMany().js, "", 1)
	for _, part := range packed(t, page, `class="piece"`) {
		own += string(part)
	}
	for _, bad := range []string{"<img", "<svg", "<!--", "onerror=\"", "\u2028", "\u202e", "\x00", "\x1b", "\xff"} {
		if strings.Contains(own, bad) {
			t.Errorf("the page or a piece holds %q", bad)
		}
	}
}

// TestManyTellsWhatCannotBeRead: no page is written of half a run.
func TestManyTellsWhatCannotBeRead(t *testing.T) {
	r := planned(t, sampleReport(5))
	whole, broken := r.Replies, errors.New("the disk is gone")
	r.Replies = func(ctx context.Context) iter.Seq2[eval.ScoredReply, error] {
		return func(yield func(eval.ScoredReply, error) bool) {
			for s := range whole(ctx) {
				if !yield(s, nil) {
					return
				}
			}
			yield(eval.ScoredReply{}, broken)
		}
	}
	if err := writeMany(t.Context(), bufio.NewWriter(io.Discard), r, repliesBytes); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	r = planned(t, sampleReport(5))
	r.Plan.Queries.Queries = r.Plan.Queries.Queries[1:]
	if err := writeMany(t.Context(), bufio.NewWriter(io.Discard), r, repliesBytes); err == nil {
		t.Error("replies out of the plan's order are passed over")
	}
}
