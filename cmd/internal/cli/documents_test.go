package cli

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// documents are the texts that a newcomer reads.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/decisions/*.md"} {
		files, err := filepath.Glob(filepath.Join("../../..", pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d documents, %v", pattern, len(files), err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			texts[file] = string(b)
		}
	}
	return texts
}

var (
	link    = regexp.MustCompile(`\]\(([^)#:\s]+)(#[^)\s]*)?\)`)
	command = regexp.MustCompile(`(?m)^(?:    |\$ )?(?:[A-Z_]+=\S+ )*(?:\./bin/)?disteval ([^#|>&;$\n]*)`)
	inline  = regexp.MustCompile("`disteval ([^`]+)`")
	word    = regexp.MustCompile(`"[^"]*"|\S+`)
)

// TestDocumentsLinks wants every link between documents to lead somewhere.
func TestDocumentsLinks(t *testing.T) {
	links := 0
	for file, text := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", file, m[1], err)
			}
		}
	}
	if links < 50 {
		t.Errorf("only %d links are found", links)
	}
}

// TestDocumentsCommands wants the commands in documents to be those of the
// program, with flags that they have.
func TestDocumentsCommands(t *testing.T) {
	commands := 0
	for file, text := range documents(t) {
		for _, m := range append(command.FindAllStringSubmatch(text, -1), inline.FindAllStringSubmatch(text, -1)...) {
			commands++
			if err := understood(word.FindAllString(m[1], -1)); err != nil {
				t.Errorf("%s: disteval %s: %v", file, m[1], err)
			}
		}
	}
	if commands < 80 {
		t.Errorf("only %d commands are found", commands)
	}
}

// understood reads a command line as the program does, but runs nothing.
func understood(args []string) error {
	root := newRootCmd(&app{})
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	if len(args) > 0 && strings.ToUpper(args[0]) == args[0] {
		return nil // a placeholder, such as COMMAND
	}
	cmd, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if cmd == root {
		return pflag.ErrHelp
	}
	for i, arg := range rest {
		rest[i] = strings.Trim(arg, `[]"`) // as in a line of usage
	}
	err = cmd.ParseFlags(rest)
	var valueless *pflag.ValueRequiredError // a sentence may name a flag alone
	if errors.Is(err, pflag.ErrHelp) || errors.As(err, &valueless) {
		return nil
	}
	return err
}
