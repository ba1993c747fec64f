// Command manual writes what a release holds beside the program: man pages and
// completions.
//
//	go run ./cmd/internal/manual DIR
//
// It is a program of its own so that disteval need not carry the code that
// writes man pages. SOURCE_DATE_EPOCH is the date that the pages state.
package main

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/disteval/disteval/cmd/internal/cli"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: manual DIR")
	}
	root := cli.Command()
	if err := errors.Join(manPages(root, filepath.Join(os.Args[1], "man")), completions(root, filepath.Join(os.Args[1], "completions"))); err != nil {
		log.Fatal(err)
	}
}

// manPages writes a page for every command, compressed as they are installed.
func manPages(root *cobra.Command, dir string) error {
	plain, err := os.MkdirTemp("", "man")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(plain) }()
	root.DisableAutoGenTag = true
	header := &doc.GenManHeader{Title: "DISTEVAL", Section: "1", Source: "disteval", Manual: "disteval manual"}
	if err := doc.GenManTree(root, header, plain); err != nil {
		return fmt.Errorf("write the man pages: %w", err)
	}
	pages, err := filepath.Glob(filepath.Join(plain, "*.1"))
	if err != nil {
		return err
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			return err
		}
		if err := write(dir, filepath.Base(page)+".gz", func(w io.Writer) error {
			z := gzip.NewWriter(w) // it states no time, so that the file is the same every time
			_, err := z.Write(text)
			return errors.Join(err, z.Close())
		}); err != nil {
			return err
		}
	}
	return nil
}

// completions writes each shell's file under the name that the shell looks for.
func completions(root *cobra.Command, dir string) error {
	return errors.Join(
		write(dir, "disteval.bash", func(w io.Writer) error { return root.GenBashCompletionV2(w, true) }),
		write(dir, "_disteval", root.GenZshCompletion),
		write(dir, "disteval.fish", func(w io.Writer) error { return root.GenFishCompletion(w, true) }),
		write(dir, "disteval.ps1", root.GenPowerShellCompletionWithDesc),
	)
}

func write(dir, name string, content func(io.Writer) error) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return content(f)
}
