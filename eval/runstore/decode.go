package runstore

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
)

// decodeScores reads a row of scores. Without one every metric is Unscored, as
// is one that the row does not know; cosine_lift follows from cosine and the
// floor of the run.
func decodeScores(vals sql.NullString, floor *float64, failure *eval.Failure) ([]metrics.Score, error) {
	out := make([]metrics.Score, len(allMetrics))
	for i, m := range allMetrics {
		out[i] = metrics.Score{Metric: m.Name, Status: metrics.Unscored, Reason: "not scored yet"}
		switch {
		case i >= textMetrics:
			out[i].Reason = "of a query, beside its first sample"
		case failure != nil:
			out[i].Reason = "no answer: " + string(failure.Kind)
		}
	}
	if !vals.Valid || !asWritten(vals.String, out[:textMetrics]) {
		row, err := scoresByName(vals)
		if err != nil {
			return nil, fmt.Errorf("decode scores: %w", err)
		}
		for i, m := range allMetrics[:textMetrics] {
			switch v := row[m.Name].(type) {
			case float64:
				out[i].Value, out[i].Status, out[i].Reason = v, metrics.Scored, ""
			case string:
				out[i].Reason = v
			}
		}
	}
	metrics.FillLift(out, floor)
	return out, nil
}

var (
	allMetrics  = metrics.All()
	textMetrics = len(metrics.Text())
)

// asWritten reads an object that encodeScores has written for these very
// metrics, and reports whether it is one; another one is read by scoresByName,
// which takes some ten times as long. A string with an escape is left to that as
// well. Nothing is set unless all is.
func asWritten(object string, scores []metrics.Score) bool {
	var values [maxMetrics]struct {
		number float64
		reason string
		is     bool
	}
	if len(scores) > maxMetrics {
		return false
	}
	rest := object
	before := byte('{')
	for i, s := range scores {
		v := &values[i]
		key := len(s.Metric) + len(`{"":`)
		if len(rest) <= key || rest[0] != before || rest[1] != '"' || rest[2:key-2] != s.Metric || rest[key-2:key] != `":` {
			return false
		}
		rest, before = rest[key:], ','
		if rest[0] == '"' {
			end := strings.IndexByte(rest[1:], '"') + 1
			if end <= 0 || strings.IndexByte(rest[1:end], '\\') >= 0 {
				return false
			}
			v.reason, rest = rest[1:end], rest[end+1:]
			continue
		}
		end := strings.IndexAny(rest, ",}")
		if end <= 0 || rest[0] == '+' || strings.Trim(rest[:end], "0123456789.-+e") != "" {
			return false
		}
		var err error
		if v.number, err = strconv.ParseFloat(rest[:end], 64); err != nil {
			return false
		}
		v.is, rest = true, rest[end:]
	}
	if rest != "}" {
		return false
	}
	for i := range scores {
		if v := values[i]; v.is {
			scores[i].Value, scores[i].Status, scores[i].Reason = v.number, metrics.Scored, ""
		} else {
			scores[i].Reason = v.reason
		}
	}
	return true
}

// maxMetrics bounds the metrics that asWritten reads.
const maxMetrics = 16

// scoresByName reads an object, or a list of version 1.
func scoresByName(vals sql.NullString) (row map[string]any, err error) {
	if !strings.HasPrefix(vals.String, "[") {
		if vals.Valid {
			err = json.Unmarshal([]byte(vals.String), &row)
		}
		return row, err
	}
	var list []any
	if err := json.Unmarshal([]byte(vals.String), &list); err != nil {
		return nil, err
	}
	if len(list) > len(firstMetrics) {
		return nil, fmt.Errorf("%d scores, where version 1 has %d", len(list), len(firstMetrics))
	}
	row = make(map[string]any, len(list))
	for i, v := range list {
		row[firstMetrics[i]] = v
	}
	return row, nil
}
