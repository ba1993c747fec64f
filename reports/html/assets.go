package html

import (
	"bufio"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"html/template"
	"io"
	"io/fs"
	"strings"
	"sync"
)

// The version of Apache ECharts that pages are made for, where it can be had,
// and the hashes of that file.
const (
	echartsVersion   = "5.6.0"
	echartsURL       = "https://cdn.jsdelivr.net/npm/echarts@" + echartsVersion + "/dist/echarts.min.js"
	echartsIntegrity = "sha384-pPi0zxBAoDu6+JXW/C68UZLvBUUtU+7zonhif43rqj7pxsGyqyqzcian2Rj37Rss"
	echartsHash      = "'sha256-v0oiNSTkC3fDBL7GfhIiz1UfFIgM9Cxp3ARlWOEcB7E='" // as a CSP source
	echartsFile      = "assets/echarts.min.js"
)

// assets holds ECharts where the build put it there, and a README.
//
//go:embed all:assets
var assets embed.FS

// library is ECharts as a page gets it: inline, or from the CDN where the
// program was built without it.
type library struct {
	files fs.FS  // with echartsFile; nil: from the CDN
	hash  string // of the script, as a CSP source
}

// embeddedLibrary takes the script by the hash that it must have, which saves
// reckoning it: a browser runs no other one.
func embeddedLibrary() library {
	if _, err := fs.Stat(assets, echartsFile); err != nil {
		return library{}
	}
	return library{assets, echartsHash}
}

func (l library) inline() bool { return l.files != nil }

// write writes the script's element, past the templates: they would copy a
// megabyte several times.
func (l library) write(out *bufio.Writer) error {
	script, err := l.files.Open(echartsFile)
	if err != nil {
		return err
	}
	out.WriteString("<script>")
	_, err = io.Copy(out, script)
	out.WriteString("</script>\n")
	return errors.Join(err, script.Close())
}

// own is the page's own script and style.
type own struct {
	css, js         string
	cssHash, jsHash string
}

// ownOf is that of a page of few or of many replies.
func ownOf(many bool) own {
	if many {
		return ownOfMany()
	}
	return ownOfFew()
}

var (
	ownOfFew  = sync.OnceValue(func() own { return newOwn("few.js") })
	ownOfMany = sync.OnceValue(func() own { return newOwn("many.js") })
)

func newOwn(replies string) own {
	css, js := mustRead("app.css"), mustRead("charts.js")+mustRead("rows.js")+mustRead(replies)+mustRead("app.js")
	return own{css: css, js: js, cssHash: cspHash(css), jsHash: cspHash(js)}
}

func mustRead(name string) string {
	b, err := sources.ReadFile(name)
	if err != nil {
		panic(err) // the file is embedded in the program
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n") // as a browser reads it before hashing
}

func cspHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// policy is the Content-Security-Policy: these two scripts and this style, an
// empty favicon, and nothing else.
func policy(lib library, o own) string {
	echarts := lib.hash
	if !lib.inline() {
		echarts = echartsURL
	}
	return "default-src 'none'; script-src " + o.jsHash + " " + echarts + "; style-src " + o.cssHash +
		"; img-src data:; base-uri 'none'; form-action 'none'"
}

// The page's trusted parts, for html/template.
func (p page) CSS() template.CSS   { return template.CSS(p.own.css) }
func (p page) JS() template.JS     { return template.JS(p.own.js) }
func (p page) Policy() string      { return policy(p.lib, p.own) }
func (p page) ECInline() bool      { return p.lib.inline() }
func (p page) ECVersion() string   { return echartsVersion }
func (p page) ECURL() string       { return echartsURL }
func (p page) ECIntegrity() string { return echartsIntegrity }
