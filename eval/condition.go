package eval

// State says whether something works.
type State string

const (
	Works  State = "works"
	Partly State = "partly"
	Fails  State = "fails"
)

// Condition is one thing on this machine that runs need or can use.
type Condition struct {
	Name   string `json:"name"`
	State  State  `json:"state"`
	Found  string `json:"found"`  // what there is, or why it does not work
	Cure   string `json:"cure"`   // what to do, perhaps in several lines; empty where it works
	Needed bool   `json:"needed"` // no run at all without it
}
