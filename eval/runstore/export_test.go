package runstore

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
)

// LimitPages makes s's disk full after n more pages.
func LimitPages(s *Store, n int) error {
	var now int
	if err := s.db.QueryRow("PRAGMA page_count").Scan(&now); err != nil {
		return err
	}
	_, err := s.db.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", now+n))
	return err
}

// Damage changes the closed record in dir behind the store's back.
func Damage(dir, statement string) error {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: filepath.Join(dir, FileName)}).EscapedPath())
	if err != nil {
		return err
	}
	_, err = db.Exec(statement)
	return errors.Join(err, db.Close())
}

var ReadCopy = readCopy

// Remembers reports whether s knows what it wrote without reading it.
func (s *Store) Remembers() bool { return s.memory.rows != nil && s.memory.scoring == s.scoring() }

// InTransaction reports whether s is within one: another cannot begin.
func (s *Store) InTransaction() bool {
	_, err := s.db.Exec("BEGIN")
	return err != nil
}
