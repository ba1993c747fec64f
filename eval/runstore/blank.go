package runstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
)

// blank is a file that holds the schema and nothing else, with which every new
// record begins. It is made in memory, once.
var blank = sync.OnceValues(func() (file []byte, err error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // each would have a memory of its own
	ctx := context.Background()
	if err := migrate(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	err = conn.Raw(func(driver any) error {
		in, ok := driver.(interface{ Serialize() ([]byte, error) })
		if !ok {
			return fmt.Errorf("the driver %T cannot give its file", driver)
		}
		file, err = in.Serialize()
		return err
	})
	return file, errors.Join(err, conn.Close(), db.Close())
})

// Prepare begins to make what the first Create of a process needs, beside what
// else its caller has to do before it. Without it Create takes longer.
func Prepare() { go func() { _, _ = blank() }() } // Create tells what went wrong
