package html

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/disteval/disteval/reports"
)

func TestPageInChromium(t *testing.T) {
	if !embeddedLibrary().inline() {
		skip(t, "built without "+echartsFile+": run make assets")
	}
	b := openPage(t, func(f *os.File) error { return Write(t.Context(), f, sampleReport(200)) })
	for _, width := range []int64{1600, 400} {
		for _, theme := range []string{"light", "dark"} {
			b.run(chromedp.EmulateViewport(width, 1000))
			b.scheme(theme)
			b.drawAll()
			if over := evaluate[int](b, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
				t.Errorf("at %d px the page is %d px too wide", width, over)
			}
			b.screenshot(fmt.Sprintf("report-%d-%s", width, theme), width, 6400)
		}
	}
	// A tooltip of every chart, which must not need inline styles.
	b.do(`for (const p of document.querySelectorAll(".plot")) echarts.getInstanceByDom(p).dispatchAction({ type: "showTip", seriesIndex: 0, dataIndex: 0 }); await new Promise((r) => setTimeout(r, 300))`)
	b.do(`dispatchEvent(new Event("beforeprint"))`)
	if got := evaluate[string](b, `document.querySelector("#plot-scores canvas").style.width`); got != "680px" {
		t.Errorf("for paper a chart is %s wide", got)
	}
	b.do(`dispatchEvent(new Event("afterprint"))`)
	if drawn := evaluate[int](b, `document.querySelectorAll(".plot canvas").length`); drawn < 12 {
		t.Errorf("%d charts drawn", drawn)
	}
	b.quiet()
}

func TestRepliesInChromium(t *testing.T) {
	b := openPage(t, func(f *os.File) error {
		return write(t.Context(), f, sampleReport(200), nil, newLibrary("var noCharts = 1;"))
	})
	text := func(selector string) string {
		return evaluate[string](b, `document.querySelector("`+selector+`").textContent`)
	}
	if got := text("#count"); got != "600 of 600 replies, page 1 of 12" {
		t.Errorf("count %q", got)
	}
	steps := []struct{ name, do, want string }{
		{"failed only", `set("by-outcome", "failed")`, "1 of 600 replies, page 1 of 1"},
		{"model as well", `set("by-model", "0")`, "0 of 600 replies, page 1 of 1"},
		{"cleared", `document.getElementById("clear").click()`, "600 of 600 replies, page 1 of 12"},
		{"by category", `set("by-category", "0")`, "102 of 600 replies, page 1 of 3"},
		{"next page", `document.querySelector(".next").click()`, "102 of 600 replies, page 2 of 3"},
		{"cleared again", `document.getElementById("clear").click()`, "600 of 600 replies, page 1 of 12"},
		{"by text", `set("by-text", "COUNTRY 17 ")`, "3 of 600 replies, page 1 of 1"},
		{"a link to failures", `location.hash = "model=DistilLlama&outcome=failed"`, "1 of 600 replies, page 1 of 1"},
		{"a link to what is negated", `location.hash = "flag=negated&model=DistilLlama"`, "179 of 600 replies, page 1 of 4"},
		{"a link to a category", `location.hash = "category=music%20%26%20film"`, "99 of 600 replies, page 1 of 2"},
	}
	b.do(`window.set = (id, value) => { const e = document.getElementById(id); e.value = value; e.dispatchEvent(new Event("input", { bubbles: true })); }`)
	for _, s := range steps {
		b.do(s.do)
		b.run(chromedp.Sleep(250 * time.Millisecond))
		if got := text("#count"); got != s.want {
			t.Errorf("%s: count %q, want %q", s.name, got, s.want)
		}
	}
	b.do(`set("by-category", ""); set("by-sort", "latency")`)
	b.run(chromedp.Sleep(250 * time.Millisecond))
	if got := text("#list article a"); got != "q199" {
		t.Errorf("slowest first: %s", got)
	}
	b.run(chromedp.Click("#list article .compare-models"))
	b.wait(`document.getElementById("side").open`)
	if got := evaluate[int](b, `document.querySelectorAll("#side-list article").length`); got != 3 {
		t.Errorf("%d models side by side", got)
	}
	b.run(chromedp.KeyEvent("\x1b"))
	b.wait(`!document.getElementById("side").open`)
	b.run(chromedp.Navigate("about:blank"), chromedp.Navigate(b.url+"#q=q003"))
	b.wait(`document.getElementById("side").open && document.getElementById("side-title").textContent === "q003"`)
	if got := text("#side-list .said.none"); got != "No answer (timeout): no answer within 30s" {
		t.Errorf("failure shown as %q", got)
	}
	b.screenshot("side-1600-light", 1600, 1000)
	b.run(chromedp.Click("#side-next"))
	b.wait(`document.getElementById("side-title").textContent === "q004"`)
	if n := evaluate[int](b, `document.querySelectorAll("#side-list mark.kw").length`); n == 0 {
		t.Error("no keyword is marked")
	}
	b.quiet()
}

func TestTrendInChromium(t *testing.T) {
	if !embeddedLibrary().inline() {
		skip(t, "built without "+echartsFile+": run make assets")
	}
	b := openPage(t, func(f *os.File) error {
		return WriteTrend(t.Context(), f, []reports.Report{laterReport(), sampleReport(20)})
	})
	b.drawAll()
	b.screenshot("trend-1600-light", 1600, 3000)
	if got := evaluate[string](b, `document.querySelector(".change ul").textContent`); !strings.Contains(got, "digest") {
		t.Errorf("changes %q name no digest", got)
	}
	b.quiet()
}

// laterReport is the sample after somebody changed a model.
func laterReport() reports.Report {
	r := sampleReport(20)
	r.RunID, r.Created, r.PlanHash = "20250305-050607-later", began.Add(24*time.Hour), "b0"
	r.Queries.SHA256 = "55bb"
	r.Plan.Models[2].Digest = "sha256:changed"
	r.Models[2].Model.Digest = "sha256:changed"
	r.Models[2].Metrics[0].Mean = 0.035
	return r
}

// TestNothingScoredInChromium has a run in which no model answered at all.
func TestNothingScoredInChromium(t *testing.T) {
	if !embeddedLibrary().inline() {
		skip(t, "built without "+echartsFile+": run make assets")
	}
	r := sampleReport(20)
	r.Replies, r.Comparisons = nil, nil
	for i := range r.Models {
		m := &r.Models[i]
		*m = reports.Model{Model: m.Model, Missing: 20, GaveUp: "no server", Energy: reports.Energy{Quality: "unavailable"}}
	}
	for i := range r.Categories {
		r.Categories[i].EM = []*float64{nil, nil, nil}
	}
	b := openPage(t, func(f *os.File) error { return WriteTrend(t.Context(), f, []reports.Report{r, sampleReport(20), r}) })
	b.drawAll()
	if got := evaluate[string](b, `document.getElementById("list").textContent`); got != "This run has no replies." {
		t.Errorf("the list says %q", got)
	}
	b.quiet()
}

func TestHostileTextInChromium(t *testing.T) {
	if !embeddedLibrary().inline() && os.Getenv("DISTEVAL_NO_SKIP") != "1" {
		t.Skip("needs ECharts in the program: make assets")
	}
	b := openPage(t, func(f *os.File) error { return Write(t.Context(), f, hostileReport()) })
	b.drawAll()
	for i := range hostile {
		b.do(fmt.Sprintf(`location.hash = "q=q%03d"`, i))
		b.wait(fmt.Sprintf(`document.getElementById("side-title").textContent === "q%03d"`, i))
	}
	if evaluate[bool](b, `"hacked" in window`) {
		t.Error("a script of a reply ran")
	}
	if n := evaluate[int](b, `document.querySelectorAll("img, svg, iframe, object, main script, dialog script").length`); n > 0 {
		t.Errorf("replies made %d elements", n)
	}
	if n := evaluate[int](b, `document.querySelectorAll("#list .ctl").length`); n == 0 {
		t.Error("hidden characters are not shown")
	}
	if !evaluate[bool](b, `document.querySelector("#list .cut").textContent.startsWith("Cut here: 20,000 of 24,000 characters.")`) {
		t.Error("a long reply does not say that it was cut")
	}
	b.do(`document.getElementById("side").close()`)
	b.run(chromedp.EmulateViewport(400, 900))
	if over := evaluate[int](b, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
		t.Errorf("hostile text makes the page %d px too wide at 400 px", over)
	}
	b.quiet()
}
