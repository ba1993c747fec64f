package cli

import "github.com/spf13/cobra"

// Command returns the program's tree of commands, for what is written about
// them: man pages, completions, tests of documents. It is not made to be run.
func Command() *cobra.Command { return newRootCmd(&app{}) }
