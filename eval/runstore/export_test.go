package runstore

import "fmt"

// LimitPages makes s's disk full after n more pages.
func LimitPages(s *Store, n int) error {
	var now int
	if err := s.db.QueryRow("PRAGMA page_count").Scan(&now); err != nil {
		return err
	}
	_, err := s.db.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", now+n))
	return err
}
