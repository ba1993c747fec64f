// Package emissionstest builds fake sysfs trees with energy counters and
// turns the counters at a known power, so that what a meter says can be
// compared with the truth.
package emissionstest

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

//go:embed trees/*.txtar
var trees embed.FS

// Trees returns the names of the fake trees.
func Trees() []string {
	entries, err := trees.ReadDir("trees")
	if err != nil {
		panic(err) // the folder is embedded
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".txtar"))
	}
	return names
}

// WriteTree writes the fake tree name below root, which is then a sysfs root.
func WriteTree(root, name string) error {
	data, err := trees.ReadFile("trees/" + name + ".txtar")
	if err != nil {
		return fmt.Errorf("no fake tree %q; there are %s", name, strings.Join(Trees(), ", "))
	}
	for name, content := range files(string(data)) {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// files splits a txtar archive: a comment, and files that each begin with a
// line "-- name --".
func files(archive string) map[string]string {
	out := map[string]string{}
	for _, part := range strings.Split("\n"+archive, "\n-- ")[1:] {
		name, content, _ := strings.Cut(part, " --\n")
		out[name] = strings.TrimSuffix(content, "\n") + "\n"
	}
	return out
}

// Flatten adds the links that the kernel makes: every zone at the top of
// class/powercap, however deep its folder lies.
func Flatten(root string) error {
	top := filepath.Join(root, "class/powercap")
	return filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || filepath.Dir(path) == top || !strings.Contains(d.Name(), ":") {
			return err
		}
		target, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		return os.Symlink(target, filepath.Join(top, d.Name()))
	})
}
