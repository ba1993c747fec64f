package html

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// openMany opens the page of a report as that of very many replies.
func openMany(t *testing.T, n, budget int) *browser {
	t.Helper()
	r := planned(t, sampleReport(n))
	b := openPage(t, func(f *os.File) error { return manyPage(t, f, r, budget, newLibrary("var noCharts = 1;")) })
	b.do(`window.set = (id, value) => { const e = document.getElementById(id); e.value = value; e.dispatchEvent(new Event("input", { bubbles: true })); }`)
	return b
}

// TestManyInChromium: pieces unpack, and filters, orders, searches and links show
// what they show of few replies.
func TestManyInChromium(t *testing.T) {
	b := openMany(t, 2_000, repliesBytes)
	text := func(selector string) string {
		return evaluate[string](b, `document.querySelector("`+selector+`").textContent`)
	}
	for _, s := range []struct{ name, do, want string }{
		{"all", `0`, "6,000 of 6,000 replies, page 1 of 120"},
		{"failed only", `set("by-outcome", "failed")`, "1 of 6,000 replies, page 1 of 1"},
		{"model as well", `set("by-model", "0")`, "0 of 6,000 replies, page 1 of 1"},
		{"cleared", `document.getElementById("clear").click()`, "6,000 of 6,000 replies, page 1 of 120"},
		{"by category", `set("by-category", "0")`, "1,002 of 6,000 replies, page 1 of 21"},
		{"next page", `document.querySelector(".next").click()`, "1,002 of 6,000 replies, page 2 of 21"},
		{"cleared again", `document.getElementById("clear").click()`, "6,000 of 6,000 replies, page 1 of 120"},
		{"by text", `set("by-text", "COUNTRY 17 ")`, "3 of 6,000 replies, page 1 of 1"},
		{"by ID", `set("by-text", "Q1999")`, "3 of 6,000 replies, page 1 of 1"},
		{"by failure", `set("by-text", "within 30s")`, "1 of 6,000 replies, page 1 of 1"},
		{"a link to failures", `location.hash = "model=DistilLlama&outcome=failed"`, "1 of 6,000 replies, page 1 of 1"},
		{"a link to what is negated", `location.hash = "flag=negated&model=DistilLlama"`, "1,799 of 6,000 replies, page 1 of 36"},
	} {
		b.do(s.do)
		b.wait(fmt.Sprintf(`document.getElementById("count").textContent === %q`, s.want))
		if got := text("#count"); got != s.want {
			t.Errorf("%s: count %q, want %q", s.name, got, s.want)
		}
	}
	b.do(`document.getElementById("clear").click(); await new Promise((r) => setTimeout(r, 100)); set("by-sort", "latency")`)
	b.wait(`document.querySelector("#list article a").textContent.startsWith("q19")`)
	if got := text("#list .said"); len(got) < 100 {
		t.Errorf("the slowest reply says %q", got)
	}
	b.run(chromedp.Navigate("about:blank"), chromedp.Navigate(b.url+"#q=q003"))
	b.wait(`document.getElementById("side").open && document.getElementById("side-title").textContent === "q003"`)
	if got := text("#side-list .said.none"); got != "No answer (timeout): no answer within 30s" {
		t.Errorf("failure shown as %q", got)
	}
	b.run(chromedp.Click("#side-next"))
	b.wait(`document.getElementById("side-title").textContent === "q004"`)
	b.quiet()
}

// TestManyLeavesOutInChromium: what the page has no room for is counted, found by
// its facts, and said to be elsewhere.
func TestManyLeavesOutInChromium(t *testing.T) {
	b := openMany(t, 5_000, 50_000)
	b.wait(`document.getElementById("held").textContent.includes("of 5,000 queries.")`)
	b.do(`set("by-sort", "latency")`)
	b.wait(`document.querySelector("#list").textContent.includes("This page has no room for the text")`)
	b.do(`set("by-text", "q4999")`)
	b.wait(`document.getElementById("count").textContent === "3 of 15,000 replies, page 1 of 1; searched the texts that are in this page"`)
	b.quiet()
}

func TestHostileTextOfManyInChromium(t *testing.T) {
	r := planned(t, hostileReport())
	b := openPage(t, func(f *os.File) error { return manyPage(t, f, r, repliesBytes, newLibrary("var noCharts = 1;")) })
	for i := range hostile {
		b.do(fmt.Sprintf(`location.hash = "q=q%03d"`, i))
		b.wait(fmt.Sprintf(`document.getElementById("side-title").textContent === "q%03d"`, i))
	}
	b.run(chromedp.Sleep(100 * time.Millisecond))
	if evaluate[bool](b, `"hacked" in window`) {
		t.Error("a script of a reply ran")
	}
	if n := evaluate[int](b, `document.querySelectorAll("img, svg, iframe, object, dialog script, #list script").length`); n > 0 {
		t.Errorf("replies made %d elements", n)
	}
	if n := evaluate[int](b, `document.querySelectorAll("#list .ctl").length`); n == 0 {
		t.Error("hidden characters are not shown")
	}
	b.quiet()
}
