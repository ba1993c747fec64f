package text

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

type summary struct {
	Schema      string           `json:"schema"`
	RunID       string           `json:"run_id"`
	Created     time.Time        `json:"created"`
	ToolVersion string           `json:"tool_version"`
	PlanHash    string           `json:"plan_hash"`
	Status      reports.Status   `json:"status"`
	Queries     querySet         `json:"queries"`
	Host        host             `json:"host"`
	Scoring     *scoring         `json:"scoring"`
	Models      []model          `json:"models"`
	Comparisons []comparison     `json:"comparisons"`
	Rivals      []rivalry        `json:"rivals"`
	Fidelity    []fidelity       `json:"fidelity"`
	Ladders     []ladder         `json:"ladders,omitempty"` // absent where the plan has none
	Categories  []categoryScores `json:"categories"`
	Hosts       []workerHost     `json:"hosts"`     // workers that answered; empty where the machine of the run did
	Audits      []auditPair      `json:"audits"`    // of hosts that were asked the same
	Reviews     *reviewSummary   `json:"reviews"`   // null where nobody reviewed
	Judgement   *gateResult      `json:"judgement"` // null where nobody judged
	Headlines   []string         `json:"verdicts"`
	Audit       []string         `json:"audit"`
	Warnings    []string         `json:"warnings"`
}

type querySet struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	N       int    `json:"n"`
	SHA256  string `json:"sha256"`
}

type host struct {
	eval.Host
	Fingerprint string `json:"fingerprint"`
}

type scoring struct {
	eval.Scoring
	ID      int       `json:"id"`
	Created time.Time `json:"created"`
}

type model struct {
	Name            string                   `json:"name"`
	Provider        string                   `json:"provider"`
	ProviderVersion string                   `json:"provider_version"`
	Model           string                   `json:"model"`
	Digest          string                   `json:"digest"`
	Role            eval.Role                `json:"role"`
	Source          string                   `json:"source"`
	Generation      eval.Generation          `json:"generation"`
	Replies         int                      `json:"replies"`
	Failures        int                      `json:"failures"`
	Missing         int                      `json:"missing"`
	FailureKinds    map[eval.FailureKind]int `json:"failure_kinds"`
	GaveUp          *string                  `json:"gave_up"`
	Reused          *reuse                   `json:"reused,omitempty"`
	DurationS       *float64                 `json:"duration_s"`
	UnmeteredS      float64                  `json:"unmetered_s"`
	SecondsPerReply *float64                 `json:"seconds_per_reply"`
	LoadS           *float64                 `json:"load_s"`
	WarmupS         *float64                 `json:"warmup_s"`
	ProbeS          *float64                 `json:"probe_s"`
	ProbeWh         *float64                 `json:"probe_wh"`
	UnloadS         *float64                 `json:"unload_s"`
	Tokens          eval.Usage               `json:"tokens"`
	TokensPerS      *float64                 `json:"tokens_per_s"`
	LatencyMS       latency                  `json:"latency_ms"`
	Lengths         lengths                  `json:"lengths"`
	Energy          energy                   `json:"energy"`
	EmissionsKg     *float64                 `json:"emissions_kg"`
	GPer1000        *float64                 `json:"g_per_1000_queries"`
	Carbon          *carbon                  `json:"carbon_factor"`
	Metrics         metricMap                `json:"metrics"`
	CosineFloor     *float64                 `json:"cosine_floor"`
	Negated         int                      `json:"negated"`
	EMDisagrees     int                      `json:"em_disagrees"`
	IdenticalTexts  *float64                 `json:"identical_texts,omitempty"` // absent where queries are asked once
}

type lengths struct {
	MeanTokens    *float64 `json:"mean_tokens"`
	MeanChars     *float64 `json:"mean_chars"`
	ByLength      int      `json:"ended_by_length"`
	Empty         int      `json:"empty"`
	ReasoningOnly int      `json:"reasoning_only"`
}

type latency struct {
	P50 *float64 `json:"p50"`
	P95 *float64 `json:"p95"`
	P99 *float64 `json:"p99"`
}

type energy struct {
	Quality       emissions.Quality `json:"quality"`
	Method        string            `json:"method"`
	Reason        *string           `json:"reason"`
	Wh            *float64          `json:"wh"`
	LowWh         *float64          `json:"low_wh"`
	HighWh        *float64          `json:"high_wh"`
	MeasuredWh    *float64          `json:"measured_wh"`
	MeasuredShare *float64          `json:"measured_share"`
	WhPer1000     *float64          `json:"wh_per_1000_queries"`
	WhPerCorrect  *float64          `json:"wh_per_correct"`
	JPerToken     *float64          `json:"j_per_token"`
	MeanW         *float64          `json:"mean_w"`
	AboveIdleWh   *float64          `json:"above_idle_wh"`
	ServerShare   *float64          `json:"server_share"`
	ServerWh      *float64          `json:"server_wh"`
	Zones         []zone            `json:"zones"`
	Gaps          []emissions.Gap   `json:"gaps"`
	Warnings      []string          `json:"warnings"`
}

type zone struct {
	Name    string  `json:"name"`
	Wh      float64 `json:"wh"`
	Counted bool    `json:"counted"`
	Note    *string `json:"note"`
}

type carbon struct {
	GPerKWh *float64 `json:"g_per_kwh"`
	ISO3    string   `json:"iso3"`
	Country string   `json:"country"`
	Year    *int     `json:"year"`
	Source  string   `json:"source"`
	PUE     *float64 `json:"pue"`
}

type metric struct {
	N        int      `json:"n"`
	Mean     *float64 `json:"mean"`
	CI95     *ci      `json:"ci95"`
	CIMethod *string  `json:"ci_method"`
	Bound    *string  `json:"bound,omitempty"`     // at_least or at_most: some values are only bounds
	BoundedN int      `json:"bounded_n,omitempty"` // how many
	Chance   *float64 `json:"chance,omitempty"`

	Samples   int      `json:"samples,omitempty"`
	SDBetween *float64 `json:"sd_between,omitempty"`
	SDWithin  *float64 `json:"sd_within,omitempty"`
	Any       *float64 `json:"any,omitempty"`
	Identical *float64 `json:"identical,omitempty"`

	Warnings []string `json:"warnings"`
}

type ci [2]float64

type comparison struct {
	Metric     string   `json:"metric"`
	Model      string   `json:"model"`
	Reference  string   `json:"reference"`
	N          int      `json:"n"`
	Difference *float64 `json:"difference"`
	CI95       *ci      `json:"ci95"`
	P          *float64 `json:"p"`
	PHolm      *float64 `json:"p_holm"`
	Test       string   `json:"test"`
	Wins       int      `json:"wins"`
	Losses     int      `json:"losses"`
	Ties       int      `json:"ties"`
	Undecided  int      `json:"undecided,omitempty"` // of sign-exact: pairs whose order bounds leave open
	Warnings   []string `json:"warnings"`
}

type categoryScores struct {
	Name string       `json:"name"`
	N    int          `json:"n"`
	EM   []categoryEM `json:"em"`
}

type categoryEM struct {
	Model string   `json:"model"`
	Mean  *float64 `json:"mean"`
}

// metricMap writes every metric as a key, in canonical order.
type metricMap []reports.Metric

// MarshalJSON implements json.Marshaler.
func (m metricMap) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, known := range metrics.All() {
		if i > 0 {
			b = append(b, ',')
		}
		value, err := json.Marshal(metricOf(reports.Model{Metrics: m}.Metric(known.Name)))
		if err != nil {
			return nil, err
		}
		b = append(appendString(b, known.Name), ':')
		b = append(b, value...)
	}
	return append(b, '}'), nil
}

// WriteSummaryJSON writes summary.json. Numbers are not rounded, and null
// where they do not exist. Invisible characters in texts are written as
// escapes, which JSON reads back as they were.
func WriteSummaryJSON(_ context.Context, w io.Writer, r reports.Report) error {
	if err := WriteJSON(w, summaryOf(r)); err != nil {
		return fmt.Errorf("write the summary of run %s: %w", r.RunID, err)
	}
	return nil
}

func summaryOf(r reports.Report) summary {
	s := summary{
		Schema: "disteval.summary/1", RunID: r.RunID, Created: r.Created, ToolVersion: r.ToolVersion,
		PlanHash: r.PlanHash, Status: r.Status, Queries: querySet(r.Queries),
		Host:        host{r.Host, r.Host.Fingerprint()},
		Models:      make([]model, 0, len(r.Models)),
		Comparisons: make([]comparison, 0, len(r.Comparisons)),
		Rivals:      make([]rivalry, 0, len(r.Rivals)),
		Fidelity:    make([]fidelity, 0, len(r.Fidelity)),
		Categories:  make([]categoryScores, 0, len(r.Categories)),
		Ladders:     laddersOf(r.Ladders),
		Hosts:       machinesOf(r.Machines), Audits: agreementsOf(r.Agreements),
		Reviews:   reviewsOf(r.Reviews),
		Judgement: judgementOf(r.Judgement),
		Headlines: list(r.Headlines), Audit: list(r.Audit), Warnings: list(r.Warnings),
	}
	if sc := r.Scoring; sc != nil {
		s.Scoring = &scoring{sc.Scoring, sc.ID, sc.Created}
	}
	for _, m := range r.Models {
		s.Models = append(s.Models, modelOf(m, carbonOf(r)))
	}
	for _, c := range r.Comparisons {
		s.Comparisons = append(s.Comparisons, comparisonOf(c))
	}
	for _, c := range r.Rivals {
		s.Rivals = append(s.Rivals, rivalryOf(c))
	}
	for _, f := range r.Fidelity {
		s.Fidelity = append(s.Fidelity, fidelityOf(f))
	}
	for _, c := range r.Categories {
		s.Categories = append(s.Categories, categoryOf(c, r.Models))
	}
	return s
}

func modelOf(m reports.Model, factor *carbon) model {
	return model{
		Name: m.Model.Name, Provider: m.Model.Provider, ProviderVersion: m.Model.ProviderVersion,
		Model: m.Model.Model, Digest: m.Model.Digest, Role: m.Model.Role, Source: m.Model.Source,
		Generation: m.Model.Generation,
		Replies:    m.Replies, Failures: m.Failures, Missing: m.Missing,
		FailureKinds: failKinds(m.FailKinds), GaveUp: stated(m.GaveUp), Reused: reuseOf(m.Reused),
		DurationS: finite(m.DurationS), UnmeteredS: m.UnmeteredS, SecondsPerReply: finite(m.SecondsPerReply), LoadS: finite(m.LoadS), WarmupS: finite(m.WarmupS), UnloadS: finite(m.UnloadS), ProbeS: finite(m.ProbeS), ProbeWh: finite(m.ProbeWh),
		Tokens: m.Tokens, TokensPerS: finite(m.TokensPerS),
		LatencyMS:   latency{finite(m.LatencyMS.P50), finite(m.LatencyMS.P95), finite(m.LatencyMS.P99)},
		Lengths:     lengths{finite(m.Lengths.MeanTokens), finite(m.Lengths.MeanChars), m.Lengths.ByLength, m.Lengths.Empty, m.Lengths.ReasoningOnly},
		Energy:      energyOf(m.Energy),
		EmissionsKg: finite(m.EmissionsKg), GPer1000: finite(m.GPer1000), Carbon: factor,
		Metrics: m.Metrics, CosineFloor: finite(m.Floor), Negated: m.Negated, EMDisagrees: m.Disagree, IdenticalTexts: finite(m.IdenticalTexts),
	}
}

// reuse says which replies were taken from earlier runs.
type reuse struct {
	Replies int      `json:"replies"`
	Runs    []string `json:"runs"`
	Whole   bool     `json:"whole"` // the times and energy are theirs
	Host    string   `json:"host,omitempty"`
}

func reuseOf(u *reports.Reuse) *reuse {
	if u == nil {
		return nil
	}
	return &reuse{Replies: u.Replies, Runs: u.Runs, Whole: u.Whole, Host: u.Host}
}

func energyOf(e reports.Energy) energy {
	zones := make([]zone, 0, len(e.Zones))
	for _, z := range e.Zones {
		zones = append(zones, zone{z.Name, z.Energy.WattHours(), z.Counted, stated(z.Note)})
	}
	return energy{
		Quality: e.Quality, Method: e.Method, Reason: stated(e.Reason),
		Wh: finite(e.Wh), LowWh: finite(e.LowWh), HighWh: finite(e.HighWh), MeasuredWh: finite(e.MeasuredWh), MeasuredShare: finite(e.MeasuredShare),
		WhPer1000: finite(e.WhPer1000), WhPerCorrect: finite(e.WhPerCorrect),
		JPerToken: finite(e.JPerToken), MeanW: finite(e.MeanW), AboveIdleWh: finite(e.AboveIdleWh),
		ServerShare: finite(e.ServerShare), ServerWh: finite(e.ServerWh),
		Zones: zones, Gaps: list(e.Gaps), Warnings: list(e.Warnings),
	}
}

func carbonOf(r reports.Report) *carbon {
	if r.Factor == nil {
		return nil
	}
	f := *r.Factor
	c := &carbon{GPerKWh: finite(&f.GPerKWh), ISO3: f.ISO3, Country: f.Country, Source: f.Source, PUE: finite(&r.PUE)}
	if f.Year != 0 {
		c.Year = &f.Year
	}
	return c
}

func metricOf(m reports.Metric) metric {
	return metric{
		N: m.N, Mean: m.Value(), CI95: interval(m.N > 0 && m.HasInterval, m.Lo, m.Hi),
		CIMethod: stated(m.Method), Bound: stated(string(m.Bound)), BoundedN: m.BoundedN, Chance: finite(m.Chance), Warnings: list(m.Warnings),
		Samples: m.Samples, SDBetween: finite(m.SDBetween), SDWithin: finite(m.SDWithin), Any: finite(m.Any), Identical: finite(m.Identical),
	}
}

func comparisonOf(c reports.Comparison) comparison {
	out := comparison{
		Metric: c.Metric, Model: c.Model, Reference: c.Reference, N: c.N, Test: c.Test,
		Wins: c.Wins, Losses: c.Losses, Ties: c.Ties, Undecided: c.Undecided, PHolm: finite(c.PHolm), Warnings: list(c.Warnings),
	}
	if c.N > 0 {
		out.Difference, out.P = finite(c.Delta()), finite(&c.P)
		out.CI95 = interval(c.HasInterval, c.Lo, c.Hi)
	}
	return out
}

func categoryOf(c reports.Category, models []reports.Model) categoryScores {
	out := categoryScores{Name: c.Name, N: c.N, EM: make([]categoryEM, 0, len(models))}
	for i, m := range models {
		if i < len(c.EM) {
			out.EM = append(out.EM, categoryEM{m.Model.Name, finite(c.EM[i])})
		}
	}
	return out
}
