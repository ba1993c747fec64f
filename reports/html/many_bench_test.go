package html

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/disteval/disteval/eval"
)

// BenchmarkManyInChromium tells how long a page of 999,999 replies, full to its
// budget, takes to show the first of them, and then to filter and to sort.
func BenchmarkManyInChromium(b *testing.B) {
	r := sampleReport(333_333)
	whole := r.Replies
	r.Replies = func(ctx context.Context) iter.Seq2[eval.ScoredReply, error] {
		return func(yield func(eval.ScoredReply, error) bool) {
			random := rand.New(rand.NewPCG(1, 2))
			for s, err := range whole(ctx) {
				s.Reply.Text = fmt.Sprintf("%.40s %x", s.Reply.Text, random.Uint64())
				if !yield(s, err) {
					return
				}
			}
		}
	}
	for i := range r.Models {
		r.Models[i].Replies = 333_333
	}
	r = planned(b, r)
	size := 0.0
	page := openPage(b, func(f *os.File) error {
		if err := manyPage(b, f, r, repliesBytes, newLibrary("var noCharts = 1;")); err != nil {
			return err
		}
		info, err := f.Stat()
		if err == nil {
			size = float64(info.Size()) / 1e6
		}
		return err
	})
	for b.Loop() {
		page.run(chromedp.Navigate("about:blank"))
		began := time.Now()
		page.run(chromedp.Navigate(page.url))
		page.wait(`document.querySelector("#list article") !== null`)
		b.ReportMetric(time.Since(began).Seconds()*1000, "first-view-ms")
		page.do(`window.timed = async (id, value) => {
			const list = document.getElementById("list"), began = performance.now();
			const shown = new Promise((done) => new MutationObserver((_, o) => { o.disconnect(); done(); }).observe(list, { childList: true }));
			const e = document.getElementById(id); e.value = value; e.dispatchEvent(new Event("input", { bubbles: true }));
			await shown;
			return performance.now() - began; }`)
		for _, step := range []struct{ unit, id, value string }{
			{"filter-ms", "by-outcome", "wrong"}, {"second-filter-ms", "by-model", "1"}, {"sort-ms", "by-sort", "cosine"},
		} {
			took := within(page, chromedp.Evaluate[float64](fmt.Sprintf("timed(%q, %q)", step.id, step.value), chromedp.EvalAwaitPromise))
			b.ReportMetric(took, step.unit)
		}
	}
	b.ReportMetric(size, "page-MB")
	b.ReportMetric(0, "ns/op")
}
