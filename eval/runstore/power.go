package runstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/disteval/disteval/eval"
)

// PutPower queues the power of a model's turn, in place of that of the same process.
func (s *Store) PutPower(ctx context.Context, p eval.TurnPower) error {
	power, err := json.Marshal(p.Power)
	if err != nil {
		return fmt.Errorf("encode the power of %s: %w", p.Model, err)
	}
	row := []any{s.models[p.Model], p.Process, string(power)}
	return s.enqueue(ctx, change{query: `INSERT OR REPLACE INTO power VALUES (?,?,?,?)`, args: append(row, checksumOf(row...))})
}

// refreshPower reads the power of the turns, by model and process.
func (s *Store) refreshPower(ctx context.Context) error {
	rec := &s.record
	rec.Power = nil
	err := s.each(ctx, func(rows *sql.Rows) error {
		var m int
		var power string
		var sum []byte
		var p eval.TurnPower
		if err := rows.Scan(&m, &p.Process, &power, &sum); err != nil {
			return err
		}
		if !s.intact(sum, m, p.Process, power) || json.Unmarshal([]byte(power), &p.Power) != nil || !p.Whole() {
			return damaged(s.dir, fmt.Sprintf("the power of model %d is not what was stored", m))
		}
		name, err := s.modelAt(m)
		p.Model = name
		rec.Power = append(rec.Power, p)
		return err
	}, "SELECT model, process, power, checksum FROM power ORDER BY model, process")
	if err != nil {
		return fmt.Errorf("read the power in %s: %w", s.dir, err)
	}
	return nil
}

// viewNoPower lets a record from before power was kept be read.
const viewNoPower = `CREATE TEMP VIEW power AS SELECT 0 AS model, 0 AS process, '' AS power, NULL AS checksum WHERE 0;`

// withoutPower is the version of the last schema that keeps none.
const withoutPower = 3
