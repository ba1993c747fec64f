package spec_test

import (
	"fmt"

	"github.com/disteval/disteval/eval/spec"
)

func ExampleParse() {
	plan, err := spec.Parse([]byte(`
version: 1
models:
  - {name: teacher, provider: ollama, model: "llama2:7b-text", role: reference}
  - {name: student, provider: ollama, model: my-student, generation: {num_ctx: 256}}
`), "models.yaml", spec.Defaults{Country: "AUS"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range plan.Models {
		fmt.Println(m.Name, m.Role, m.Generation.NumPredict, m.Generation.NumCtx)
	}

	_, err = spec.Parse([]byte("version: 1\nmodel: []\n"), "models.yaml", spec.Defaults{})
	fmt.Println(err)
	// Output:
	// teacher reference 64 128
	// student student 64 256
	// models.yaml:1: models file: models: is missing; it lists at least one {name, provider, model}
	// models.yaml:2: models file: unknown key "model"; did you mean "models"? It may be one of version, queries, generation, prompt, scoring, emissions, likelihood, models
}
