package eval

// Described is what is known of a model before it is asked anything.
type Described struct {
	Model  Model  // as its provider describes it, or as the models file states it where Err is set
	Loaded string // in its server's memory: yes, no, or - where that is not known
	Lacks  error  // what the plan asks of it and it cannot do
	Err    error  // that it cannot be reached or is not there
}
