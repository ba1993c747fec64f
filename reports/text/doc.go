// Package text writes a Report as text: summary.json and replies.jsonl for
// scripts, CSV for spreadsheets, Markdown for pull requests, a table for the
// terminal, and annotations for GitHub. It also writes what commands show that
// is no report yet: plans, models, query sets, examined checkpoints and
// readings of energy.
//
// Policy: a renderer rounds and does no other arithmetic. JSON holds numbers
// unrounded and null where there is none. Prompts, replies, names and messages
// are untrusted: each format escapes them so that they are seen and do
// nothing. Only JSON keeps them exactly.
package text
