// Command disteval compares language models on factual completions: it asks,
// scores, meters, stores, reports and judges.
package main

import (
	"os"

	"github.com/disteval/disteval/cmd/internal/cli"
)

func main() { os.Exit(cli.Main()) }
