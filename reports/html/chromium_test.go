package html

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// chromium finds the browser: DISTEVAL_TEST_CHROMIUM, or one in PATH.
func chromium(t testing.TB) string {
	if path := os.Getenv("DISTEVAL_TEST_CHROMIUM"); path != "" {
		return path
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	skip(t, "no Chromium in PATH: install it or set DISTEVAL_TEST_CHROMIUM")
	return ""
}

func skip(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("DISTEVAL_NO_SKIP") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// browser is a page opened from disk with the network cut, and what it said.
type browser struct {
	t   testing.TB
	ctx context.Context
	url string

	mu       sync.Mutex
	trouble  []string // console errors, exceptions, violations of the policy
	requests []string
}

func openPage(t testing.TB, write func(*os.File) error) *browser {
	t.Helper()
	path := chromium(t)
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	if err := write(file); err != nil {
		t.Fatal(err)
	}
	file.Close()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(filepath.Join(dir, "profile")), chromedp.Flag("disable-component-update", true))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx, url: "file://" + file.Name()}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	call(b, runtime.Enable, cdp.Empty{})
	call(b, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{Offline: true}}})
	b.run(chromedp.EmulateViewport(1600, 1000), chromedp.Navigate(b.url))
	b.wait(`document.querySelector("#list > *") !== null`)
	return b
}

func (b *browser) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.trouble = append(b.trouble, "exception: "+e.ExceptionDetails.Text+" "+e.ExceptionDetails.Exception.Description)
	case *runtime.EventConsoleAPICalled:
		b.trouble = append(b.trouble, "console "+string(e.Type))
	case *log.EventEntryAdded:
		b.trouble = append(b.trouble, fmt.Sprintf("log %s: %s", e.Entry.Level, e.Entry.Text))
	case *network.EventRequestWillBeSent:
		if e.Request.URL != "data:," { // the empty favicon
			b.requests = append(b.requests, e.Request.URL)
		}
	}
}

// patience bounds every step with the browser.
const patience = 60 * time.Second

// within runs one action of the browser.
func within[T any](b *browser, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		b.t.Fatalf("browser: %v; the page said %q", err, b.trouble)
	}
	return value
}

func call[P, R any](b *browser, command cdp.Command[P, R], params P) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, command, params); err != nil {
		b.t.Fatalf("%s: %v", command.Method, err)
	}
}

func (b *browser) run(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	within(b, chromedp.Steps(steps...))
}

// evaluate evaluates an expression in the page.
func evaluate[T any](b *browser, expression string) T {
	b.t.Helper()
	return within(b, chromedp.Evaluate[T](expression))
}

// do runs statements in the page, which may await.
func (b *browser) do(statements string) {
	b.t.Helper()
	within(b, chromedp.Evaluate[bool]("(async () => {"+statements+"; return true; })()", chromedp.EvalAwaitPromise))
}

// wait waits until an expression is true, across navigations.
func (b *browser) wait(expression string) {
	b.t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(30 * time.Millisecond) {
		var holds bool
		if holds, err = chromedp.Run(b.ctx, chromedp.Evaluate[bool]("!!("+expression+")")); holds {
			return
		}
	}
	b.t.Fatalf("wait for %s: error %v; the page said %q", expression, err, b.trouble)
}

// quiet checks that the page made no trouble and asked for nothing.
func (b *browser) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.trouble) > 0 {
		b.t.Errorf("the page said: %q", b.trouble)
	}
	for _, url := range b.requests {
		if url != b.url {
			b.t.Errorf("the page asked for %s", url)
		}
	}
}

// screenshot leaves a picture of the first so many pixels of the page in the
// folder that DISTEVAL_TEST_SCREENSHOTS names, otherwise in the test's own.
func (b *browser) screenshot(name string, width, height int64) {
	b.t.Helper()
	dir := os.Getenv("DISTEVAL_TEST_SCREENSHOTS")
	if dir == "" {
		dir = b.t.TempDir()
	}
	b.run(chromedp.EmulateViewport(width, height), chromedp.Sleep(300*time.Millisecond))
	png := within(b, chromedp.CaptureScreenshot())
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o666); err != nil {
		b.t.Fatal(err)
	}
}

// drawAll scrolls every chart into view, and waits until each is drawn.
func (b *browser) drawAll() {
	b.t.Helper()
	b.do(`for (const p of document.querySelectorAll(".plot")) { p.scrollIntoView(); await new Promise((r) => setTimeout(r, 60)); } scrollTo(0, 0)`)
	b.wait(`[...document.querySelectorAll(".plot")].every((p) => p.querySelector("canvas"))`)
}

// scheme sets what the system prefers: light or dark.
func (b *browser) scheme(name string) {
	b.t.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
}
