package html

import (
	"os"
	"os/exec"
	"runtime"

	"github.com/disteval/disteval/eval"
)

// browsers are programs that open a page, on some system or other.
var browsers = []string{"xdg-open", "open", "firefox", "chromium", "chromium-browser", "google-chrome"}

// Condition says whether this build's pages open without a network, and whether
// there is a browser to open them with.
func Condition() eval.Condition { return condition(embeddedLibrary(), canBrowse()) }

func condition(lib library, browser bool) eval.Condition {
	c := eval.Condition{Name: "charts of reports", State: eval.Works, Found: "report.html holds its charts and opens offline"}
	if !browser {
		c.State, c.Found, c.Cure = eval.Partly, c.Found+"; no browser was found here", "copy report.html to a machine with one, or read summary.md"
	}
	if !lib.inline() {
		c.State, c.Found, c.Cure = eval.Partly, "this build has no ECharts: report.html loads it from "+echartsURL, "build with make, or take a release; tables and figures need no network"
	}
	return c
}

func canBrowse() bool {
	if runtime.GOOS == "windows" || os.Getenv("BROWSER") != "" {
		return true
	}
	for _, name := range browsers {
		if _, err := exec.LookPath(name); err == nil {
			return true
		}
	}
	return false
}
