//go:build linux

package main_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/queries"
)

// largeModels are how many models a large run has.
const largeModels = 5

// largeRunVariable makes this test binary write a large run, in a process of
// its own: a child's peak of memory is never told as less than its parent's.
// Its value is the number of queries and the folder.
const largeRunVariable = "DISTEVAL_BENCH_WRITE_RUN"

func init() {
	value, wanted := os.LookupEnv(largeRunVariable)
	if !wanted {
		return
	}
	n, dir, _ := strings.Cut(value, " ")
	queries, err := strconv.Atoi(n)
	if err == nil {
		err = largeRun(context.Background(), queries, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// largeRun writes the record of a run whose largeModels models have answered n
// queries each, as a run would have left it before it was scored. Nobody is
// asked: the replies are made up, every one with words of its own, so that they
// compress no better than such texts do.
func largeRun(ctx context.Context, n int, dir string) error {
	random := rand.New(rand.NewPCG(uint64(n), 1))
	plan := largePlan(random, n)
	began := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	store, err := runstore.Create(ctx, dir, eval.RunRecord{ID: fmt.Sprintf("large-%d", n), Created: began, ToolVersion: "bench",
		Plan: plan, PlanHash: plan.Hash(), Host: eval.Host{OS: "linux", Arch: "amd64", CPUModel: "fake", CPUs: 2, MemoryGB: 8, Hostname: "bench"}})
	if err != nil {
		return err
	}
	for m := range plan.Models {
		if began, err = largeTurn(ctx, store, random, plan, m, began); err != nil {
			return errors.Join(err, store.Close())
		}
	}
	return store.Close()
}

func largePlan(random *rand.Rand, n int) eval.Plan {
	set := queries.Set{Name: "large", Version: "1"}
	for i := range n {
		topic := words(random, 2)
		set.Queries = append(set.Queries, queries.Query{ID: fmt.Sprintf("q%06d", i), Prompt: fmt.Sprintf("The %s of the %s %s is", words(random, 1), topic, words(random, 1)),
			Keyword: keyword(i), Reference: keyword(i), Category: fmt.Sprintf("subject %d", i%12)})
	}
	p := eval.Plan{Queries: set, QuerySrc: "large.jsonl", Parallel: 1, Samples: 1, Rules: eval.RulesNow, Scoring: eval.Scoring{Embedding: eval.EmbeddingBuiltin},
		Emissions: eval.Emissions{Method: "auto", Country: "AUS", PUE: 1}}
	for m := range largeModels {
		model := eval.Model{Name: fmt.Sprintf("model-%d", m), Provider: eval.ProviderOllama, Model: fmt.Sprintf("model-%d", m), Host: "http://127.0.0.1:11434",
			Role: eval.RoleStudent, Generation: eval.DefaultGeneration(), Digest: strings.Repeat(fmt.Sprint(m), 64), ProviderVersion: "ollama 0.17.4"}
		if m == 0 {
			model.Role = eval.RoleReference
		}
		p.Models = append(p.Models, model)
	}
	return p
}

// largeTurn stores one model's replies and its phase, and returns when it ended.
func largeTurn(ctx context.Context, store *runstore.Store, random *rand.Rand, plan eval.Plan, m int, began time.Time) (time.Time, error) {
	now := began
	for i, q := range plan.Queries.Queries {
		text := largeReply(random, i, m)
		prompt, completion, energy := 8+random.IntN(6), len(strings.Fields(text))+2, emissions.Energy(2e6+random.IntN(2e6))
		took := 20*time.Millisecond + time.Duration(random.IntN(40_000))*time.Microsecond
		err := store.Put(ctx, eval.Reply{JobID: eval.JobID{Model: plan.Models[m].Name, Query: q.ID}, Text: text, DoneReason: "stop",
			Usage:  eval.Usage{PromptTokens: &prompt, CompletionTokens: &completion},
			Timing: eval.Timing{Start: now, End: now.Add(took), Attempts: 1, PromptEval: took / 5, Eval: took / 2}, Energy: &energy})
		if err != nil {
			return now, err
		}
		now = now.Add(took + time.Millisecond)
	}
	return now, store.PutPhase(ctx, eval.Phase{Model: plan.Models[m].Name, Process: 1, Name: eval.PhaseAnswer, Start: began, End: now,
		Reading: emissions.Reading{Start: began, End: now, Energy: 3e6 * emissions.Energy(len(plan.Queries.Queries)), Quality: emissions.Measured, Method: "rapl"}})
}

// largeReply holds the keyword more often the better the model is.
func largeReply(random *rand.Rand, i, m int) string {
	told := words(random, 2+random.IntN(4))
	if random.IntN(10) < 8-m {
		return fmt.Sprintf(" %s, the %s of the %s.", keyword(i), told, words(random, 1))
	}
	return fmt.Sprintf(" the %s of %s, a %s.", told, keyword(i+1+random.IntN(900)), words(random, 2))
}

// keyword is the answer to query i: one of a thousand names.
func keyword(i int) string {
	first := []string{"Al", "Bel", "Cor", "Dan", "El", "Fran", "Gor", "Hel", "In", "Jor"}
	second := []string{"a", "be", "ci", "do", "fu", "ga", "li", "mo", "ru", "ve"}
	third := []string{"burg", "dale", "ford", "ham", "land", "mouth", "port", "ton", "ville", "wick"}
	return first[i%10] + second[i/10%10] + third[i/100%10]
}

// words are n words as they fall in English: few of them often, most seldom.
func words(random *rand.Rand, n int) string {
	out := make([]string, n)
	for i := range out {
		rare := random.Float64()
		out[i] = largeWords[int(rare*rare*float64(len(largeWords)))]
	}
	return strings.Join(out, " ")
}

var largeWords = strings.Fields(`city water time people year river house country king island war name town church world school century film
	part state north south east west sea book music family number line road team government house company station mountain lake
	castle bridge garden village battle army queen history language law science museum art painter writer poet novel song album
	band record player club season game match field ground park forest valley coast harbour ship train engine wheel glass iron
	gold silver stone wood paper cloth leather bread wine salt sugar fruit tree flower grass bird horse cattle sheep fish insect
	heart blood bone hand head eye voice word letter page story tale legend saint temple tower wall gate square street market
	shop bank office court prison hospital college student teacher doctor lawyer judge soldier sailor farmer miner worker
	president minister bishop emperor duke prince knight senator mayor election party union treaty border province capital
	district county region empire kingdom republic colony desert plain hill cliff cave spring stream canal dam mine quarry
	factory mill furnace machine motor aircraft rocket satellite planet comet star galaxy atom electron acid metal gas liquid
	crystal fossil rock soil climate storm flood drought winter summer autumn morning evening night dawn shadow light colour`)
