package hub

// Level is how grave a finding is.
type Level string

const (
	Fault  Level = "fault"  // the model is not what it should be
	Remark Level = "remark" // worth knowing; the model may be sound
)

// Finding is one thing that stands out in a checkpoint.
type Finding struct {
	Check string `json:"check"` // config, files, tensors, types, numbers, norms, tokenizer, rotary, context, metadata or whole
	Level Level  `json:"level"`
	Where string `json:"where,omitempty"` // a tensor or file
	What  string `json:"what"`
	Mend  string `json:"mend"` // what to do
}
