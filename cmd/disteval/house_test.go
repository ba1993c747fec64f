package main_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/disteval/disteval/"

// house lists the folders from the top down; an import may only point down.
// A folder's children stand with it: they may import their parent, and the
// parent may not import them, nor siblings each other.
var house = []string{"cmd", "reports", "eval", "queries", "metrics", "emissions"}

// assembly lists the rooms that may import their siblings, and that none of
// them imports.
var assembly = []string{"eval/session", "emissions/machine", "emissions/audit", "reports/files"}

// ground lists folders that know nothing of each other.
var ground = []string{"queries", "metrics", "emissions"}

func TestImportsPointDown(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	packages := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		from := strings.TrimPrefix(fields[0], module)
		if slices.Index(house, top(from)) < 0 {
			t.Errorf("%s is in none of the six folders", from)
		}
		packages++
		for _, imported := range fields[1:] {
			if to, ours := strings.CutPrefix(imported, module); ours {
				if why := forbidden(from, to); why != "" {
					t.Errorf("%s imports %s: %s", from, to, why)
				}
			}
		}
	}
	if packages < len(house) {
		t.Errorf("go list has found %d packages only", packages)
	}
}

func top(path string) string {
	first, _, _ := strings.Cut(path, "/")
	return first
}

// forbidden says why from must not import to; empty where it may.
func forbidden(from, to string) string {
	a, b := top(from), top(to)
	switch {
	case a == b && a != "cmd":
		return forbiddenWithin(from, to)
	case slices.Index(house, a) > slices.Index(house, b):
		return "the arrow points up"
	case slices.Contains(ground, a) && slices.Contains(ground, b):
		return "the two know nothing of each other"
	}
	return ""
}

func forbiddenWithin(from, to string) string {
	switch {
	case strings.HasPrefix(from, to+"/"), strings.HasSuffix(from, "/gen"):
		return "" // a child, or a generator of data
	case strings.HasPrefix(to, from+"/"):
		return "a parent does not import its child"
	case slices.Contains(assembly, from) && path.Dir(from) == path.Dir(to):
		return "" // it puts its siblings together
	}
	return "siblings do not import each other"
}

func TestForbidden(t *testing.T) {
	tests := []struct {
		from, to string
		allowed  bool
	}{
		{"cmd/internal/cli", "reports/html", true},
		{"reports", "eval", true},
		{"reports/html", "reports", true},
		{"reports", "reports/html", false},
		{"reports/html", "reports/text", false},
		{"eval/ollama", "queries", true},
		{"eval", "reports", false},
		{"metrics/text", "eval", false},
		{"metrics", "emissions", false},
		{"emissions/rapl", "metrics", false},
		{"emissions/machine", "emissions/rapl", true},
		{"emissions/rapl", "emissions/machine", false},
		{"reports/files", "reports/html", true},
		{"reports/html", "reports/files", false},
		{"cmd/disteval", "cmd/internal/cli", true},
	}
	for _, tt := range tests {
		if got := forbidden(tt.from, tt.to) == ""; got != tt.allowed {
			t.Errorf("%s -> %s: allowed %t, want %t", tt.from, tt.to, got, tt.allowed)
		}
	}
}

// What keeps the rooms readable.
const (
	longestFunction = 60    // lines
	longestFile     = 400   // lines, tests aside
	commandLines    = 2_300 // lines of cmd/internal/cli, tests aside: it grows with commands, not with rules
)

// TestRoomsAreSmall holds the program's own code to these limits.
func TestRoomsAreSmall(t *testing.T) {
	fset := token.NewFileSet()
	commands, seen := 0, 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == "node_modules" || d.Name() != "." && d.Name() != ".." && strings.HasPrefix(d.Name(), ".") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		seen++
		lines := fset.File(file.Pos()).LineCount()
		if lines > longestFile {
			t.Errorf("%s has %d lines; above %d it holds more than one thing", path, lines, longestFile)
		}
		if strings.HasPrefix(filepath.ToSlash(path), "../../cmd/internal/cli/") {
			commands += lines
		}
		for name, n := range longFunctions(fset, file) {
			t.Errorf("%s: %s has %d lines; above %d it does more than one thing", path, name, n, longestFunction)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if commands == 0 || seen < 100 {
		t.Fatalf("%d files seen, and %d lines of commands", seen, commands)
	}
	if commands > commandLines {
		t.Errorf("cmd/internal/cli has %d lines; above %d something in it belongs into the rooms below", commands, commandLines)
	}
}

// longFunctions are the functions that are too long, with their lines.
func longFunctions(fset *token.FileSet, file *ast.File) map[string]int {
	long := make(map[string]int)
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if n := fset.Position(f.End()).Line - fset.Position(f.Pos()).Line + 1; n > longestFunction {
			long[f.Name.Name] = n
		}
	}
	return long
}

func TestLongFunctions(t *testing.T) {
	fset := token.NewFileSet()
	body := func(lines int) string { return "{\n" + strings.Repeat("\tx()\n", lines) + "}\n" }
	file, err := parser.ParseFile(fset, "a.go", "package a\n\nfunc short() "+body(longestFunction-2)+"\nfunc long() "+body(longestFunction-1), 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := longFunctions(fset, file); len(got) != 1 || got["long"] != longestFunction+1 {
		t.Errorf("%v", got)
	}
}
