package stat

import "fmt"

// Signs compares pairs of which only the order is known, as far as it is: the exact sign test
// (Conover, Practical Nonparametric Statistics, 1999, 3.4). It has no
// difference and no interval. Equal pairs say nothing; undecided ones are left
// out and counted, and a warning says so, because leaving them out selects: which
// pairs the bounds decide hangs on the values themselves.
func Signs(wins, losses, ties, undecided int) Comparison {
	c := Comparison{N: wins + losses + ties + undecided, P: McNemarExact(wins, losses), Test: "sign-exact",
		Wins: wins, Losses: losses, Ties: ties, Undecided: undecided}
	switch decided := wins + losses; {
	case c.N == 0:
		c.Warnings = []string{"n = 0: no query on which both are scored"}
	case decided < 6:
		c.Warnings = []string{fmt.Sprintf("%d pairs are decided and differ: with fewer than 6 no difference can reach p < 0.05", decided)}
	}
	if c.Undecided > 0 {
		c.Warnings = append(c.Warnings, fmt.Sprintf("bounds leave the order of %d of %d pairs open: the test is of the others", c.Undecided, c.N))
	}
	return c
}
