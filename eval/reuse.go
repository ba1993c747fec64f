package eval

import (
	"slices"
)

// Reused says that all replies of a model, with their times and energy, are
// those of one earlier run.
type Reused struct {
	Run  string `json:"run"`  // its ID
	Host Host   `json:"host"` // the machine on which they were measured
}

// SameAnswers reports whether m of plan p is asked as n of plan q is: the same
// weights by the same version of the same provider, with the same options and
// template. Its name and where it runs may differ.
func SameAnswers(p Plan, m Model, q Plan, n Model) bool {
	return m.Provider == n.Provider && slices.Equal(p.answerFacts(m), q.answerFacts(n))
}

// answerFacts lists what decides m's answer to a given request.
func (p Plan) answerFacts(m Model) []Fact {
	m.Name, m.Model = "", ""
	p.Models, p.Queries.Queries = []Model{m}, nil
	p.Samples = 0 // a request names its sample
	return p.Facts()
}

// SameProbes reports whether m of plan p is probed as n of plan q is: where it
// chooses, among the same queries, since they are each other's candidates, and
// where it is compared with the reference, with the same one.
func SameProbes(p Plan, m Model, q Plan, n Model) bool {
	a, b := p.Probing(m), q.Probing(n)
	if a != b || a.Choice && p.Queries.SHA256() != q.Queries.SHA256() {
		return false
	}
	if a.FidelityTokens == 0 {
		return true
	}
	return SameAnswers(p, *p.Reference(), q, *q.Reference())
}
