package runstore

import (
	"context"
	"database/sql"
	"fmt"
)

// schemaVersion is the version of the file's schema; an error where this
// program does not know it.
func schemaVersion(ctx context.Context, db *sql.DB) (int, error) {
	var version int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return 0, err
	}
	if version < 0 || version > maxVersion {
		return 0, fmt.Errorf("the file is damaged: no record is of version %d", version)
	}
	if version > len(migrations) {
		return 0, fmt.Errorf("the record is of version %d, this program knows up to %d: use a newer disteval", version, len(migrations))
	}
	return version, nil
}

// maxVersion is more than there will ever be.
const maxVersion = 10_000

// migrate brings the schema up to date. It takes the write lock even where
// there is nothing to do, which is what keeps a second process out.
func migrate(ctx context.Context, db *sql.DB) error {
	version, err := schemaVersion(ctx, db)
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if version == len(migrations) {
		return tx.Commit()
	}
	steps := migrations[version:]
	if version == 0 { // there is no record yet
		steps = []string{newest}
	}
	for _, m := range steps {
		if _, err := tx.ExecContext(ctx, m); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", len(migrations))); err != nil {
		return err
	}
	return tx.Commit()
}
