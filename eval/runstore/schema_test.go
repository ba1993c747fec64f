package runstore

import (
	"path/filepath"
	"slices"
	"testing"
)

// A new record has the schema of one that was brought up from the first version.
func TestNewestSchema(t *testing.T) {
	schema := func(name string, steps ...string) (sql []string) {
		db, err := connect(filepath.Join(t.TempDir(), name), "mode=rwc")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for _, step := range steps {
			if _, err := db.ExecContext(t.Context(), step); err != nil {
				t.Fatal(err)
			}
		}
		rows, err := db.QueryContext(t.Context(), "SELECT type || ' ' || name || ' ' || tbl_name || ': ' || coalesce(sql, '') FROM sqlite_schema ORDER BY name")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				t.Fatal(err)
			}
			sql = append(sql, line)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return sql
	}
	made, brought := schema("new", newest), schema("old", migrations...)
	if !slices.Equal(made, brought) || len(made) < 10 {
		t.Errorf("a new record has\n%q\nan old one comes to\n%q", made, brought)
	}
}
