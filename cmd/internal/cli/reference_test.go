package cli

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/disteval/disteval/eval/spec"
)

var updateReference = flag.Bool("update", false, "write docs/reference.md")

const referenceFile = "../../../docs/reference.md"

// TestReference wants docs/reference.md to be what the program itself says of
// its commands, flags, settings and keys. -update writes it.
func TestReference(t *testing.T) {
	got := reference()
	if *updateReference {
		if err := os.WriteFile(referenceFile, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what the program says: make golden writes it anew", referenceFile)
	}
}

func reference() string {
	var b strings.Builder
	b.WriteString("# Reference\n\nEvery command, flag, setting and key, as the program itself has them: made by `make golden`, held by a test.\n" +
		"What is behind them is in the other [documents](README.md).\n\n## Commands\n")
	commands(&b, newRootCmd(&app{}))
	b.WriteString("\n## Settings\n\nA flag of every command, a variable, or a line in `disteval.yaml`, in this order.\n\n| flag | variable | key | default | what it is |\n|---|---|---|---|---|\n")
	for _, d := range settingDefs {
		key := strings.ReplaceAll(d.name, "-", "_")
		fmt.Fprintf(&b, "| `--%s` | `DISTEVAL_%s` | `%s` | %s | %s |\n", d.name, strings.ToUpper(key), key, quoted(d.value), cell(d.usage))
	}
	b.WriteString("\n## models.yaml\n\n[models.schema.json](schemas/models.schema.json) is the same for editors; [expected.schema.json](schemas/expected.schema.json) and\n" +
		"[summary.schema.json](schemas/summary.schema.json) are those of `expected.yaml`, which [gate.md](gate.md) explains, and of `summary.json`.\n")
	section := ""
	for _, k := range spec.Keys() {
		if k.Section != section {
			section = k.Section
			fmt.Fprintf(&b, "\n### %s\n\n| key | value | default | what it is |\n|---|---|---|---|\n", section)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.Name, cell(valueText(k)), defaultText(k), cell(k.Doc))
	}
	return b.String()
}

// commands writes a section for each command that does something.
func commands(b *strings.Builder, cmd *cobra.Command) {
	if !cmd.HasSubCommands() {
		fmt.Fprintf(b, "\n### %s\n\n%s\n\n    %s\n", cmd.CommandPath(), sentence(cmd.Short), cmd.UseLine())
		var flags []string
		cmd.InheritedFlags() // cobra adds a parent's flags only when it is asked for them
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && f.Name != "help" && cmd.Root().PersistentFlags().Lookup(f.Name) == nil {
				kind, usage := pflag.UnquoteUsage(f)
				flags = append(flags, fmt.Sprintf("| `%s` | %s | %s |\n", strings.TrimSpace("--"+f.Name+" "+kind), quoted(ownDefault(f)), cell(usage)))
			}
		})
		if len(flags) > 0 {
			b.WriteString("\n| flag | default | what it does |\n|---|---|---|\n" + strings.Join(flags, ""))
		}
	}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			commands(b, sub)
		}
	}
}

// ownDefault is a flag's default where it is more than the absence of a value.
func ownDefault(f *pflag.Flag) string {
	switch f.DefValue {
	case "false", "[]", "0", "0s":
		return ""
	}
	return f.DefValue
}

func defaultText(k spec.Key) string {
	if k.Required {
		return "required"
	}
	return quoted(k.Default)
}

// valueText says what a key may hold.
func valueText(k spec.Key) string {
	switch k.Type {
	case spec.Texts:
		if len(k.Words) > 0 {
			return "list of `" + strings.Join(k.Words, "`, `") + "`"
		}
		return "list of texts"
	case spec.Word:
		return "`" + strings.Join(k.Words, "`, `") + "`"
	case spec.Integer:
		return fmt.Sprintf("integer from %.0f to %.0f", k.Min, k.Max)
	case spec.Number:
		return fmt.Sprintf("number from %v to %v", k.Min, k.Max)
	case spec.Duration:
		return fmt.Sprintf("duration, up to %v s", k.Max)
	case spec.List:
		return "list of " + k.Of + "s"
	case spec.Mapping:
		return "mapping, see " + k.Name
	}
	return string(k.Type)
}

func quoted(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

func sentence(s string) string {
	if strings.HasSuffix(s, "?") {
		return s
	}
	return s + "."
}

// cell is a text in a table of Markdown.
func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }
