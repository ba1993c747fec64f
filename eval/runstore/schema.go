package runstore

import (
	"fmt"
	"strings"
)

// migrations bring a run.db from version i to i+1; PRAGMA user_version holds
// the version. They are never edited once released, only added to.
var migrations = []string{
	planTables + answerTables1 + scoringTable + scoreTables1,
	rename1 + tables2 + copy1,
	hostTables,
	powerTable,
	probesHost,
}

// newest is what all migrations make of nothing. They would rename, copy and
// drop the empty tables of version 1 on the way, which takes half of the time
// of beginning a run.
const newest = planTables + scoringTable + tables2 + hostTables + powerTable + probesHost

const planTables = `
CREATE TABLE meta (
	key   TEXT PRIMARY KEY,
	value TEXT NOT NULL
) WITHOUT ROWID;

-- What was asked, whole, so that a run explains itself without other files.
CREATE TABLE queries (
	idx   INTEGER PRIMARY KEY, -- from 0, in the set's order
	query TEXT NOT NULL        -- JSON
);
`

const answerTables1 = `
CREATE TABLE replies (
	model             INTEGER NOT NULL, -- index in the plan
	query             INTEGER NOT NULL, -- queries.idx
	text              TEXT    NOT NULL, -- raw
	done_reason       TEXT    NOT NULL,
	prompt_tokens     INTEGER NOT NULL,
	completion_tokens INTEGER NOT NULL,
	start_ns          INTEGER NOT NULL, -- Unix time
	end_ns            INTEGER NOT NULL,
	attempts          INTEGER NOT NULL,
	load_ns           INTEGER NOT NULL, -- the provider's own figures
	prompt_eval_ns    INTEGER NOT NULL,
	eval_ns           INTEGER NOT NULL,
	energy_uj         INTEGER,          -- NULL: not known for this reply
	failure_kind      TEXT,             -- NULL: an answer
	failure_message   TEXT,
	PRIMARY KEY (model, query)
) WITHOUT ROWID;

CREATE TABLE phases (
	model    INTEGER NOT NULL,
	process  INTEGER NOT NULL,
	name     TEXT    NOT NULL,
	start_ns INTEGER NOT NULL,
	end_ns   INTEGER NOT NULL,
	reading  TEXT    NOT NULL, -- JSON, energies in microjoules
	PRIMARY KEY (model, process, name)
) WITHOUT ROWID;

CREATE TABLE gave_up (
	model  INTEGER PRIMARY KEY,
	reason TEXT NOT NULL
);

CREATE TABLE warnings (
	text TEXT PRIMARY KEY
);
`

const scoringTable = `
CREATE TABLE scorings (
	id       INTEGER PRIMARY KEY,
	created  INTEGER NOT NULL, -- Unix time, ns
	complete INTEGER NOT NULL, -- 1 once every reply has its scores
	scoring  TEXT NOT NULL,    -- JSON
	floors   TEXT NOT NULL     -- JSON, by model name
);
`

const scoreTables1 = `
CREATE TABLE scores (
	scoring INTEGER NOT NULL,
	model   INTEGER NOT NULL,
	query   INTEGER NOT NULL,
	vals    TEXT NOT NULL, -- JSON list in the metrics' canonical order: a number, or the reason why there is none
	flags   TEXT NOT NULL, -- separated by spaces
	PRIMARY KEY (scoring, model, query)
) WITHOUT ROWID;

CREATE TABLE reviews (
	model    INTEGER NOT NULL,
	query    INTEGER NOT NULL,
	reviewer TEXT NOT NULL,
	verdict  TEXT NOT NULL,
	comment  TEXT NOT NULL,
	imported INTEGER NOT NULL, -- Unix time, ns
	PRIMARY KEY (model, query, reviewer)
) WITHOUT ROWID;
`

const rename1 = `
ALTER TABLE replies RENAME TO replies_1;
ALTER TABLE phases RENAME TO phases_1;
ALTER TABLE scores RENAME TO scores_1;
ALTER TABLE reviews RENAME TO reviews_1;
ALTER TABLE warnings RENAME TO warnings_1;
ALTER TABLE gave_up RENAME TO gave_up_1;
`

const tables2 = `
CREATE TABLE warnings (
	text     TEXT PRIMARY KEY,
	checksum BLOB -- as of a reply
);

CREATE TABLE gave_up (
	model    INTEGER PRIMARY KEY,
	reason   TEXT NOT NULL,
	checksum BLOB
);

CREATE TABLE replies (
	model             INTEGER NOT NULL, -- index in the plan
	query             INTEGER NOT NULL, -- queries.idx
	sample            INTEGER NOT NULL, -- from 0
	text              TEXT    NOT NULL, -- raw
	reasoning         TEXT    NOT NULL, -- raw
	done_reason       TEXT    NOT NULL,
	prompt_tokens     INTEGER,          -- NULL: not stated
	completion_tokens INTEGER,          -- NULL: not stated
	start_ns          INTEGER NOT NULL, -- Unix time
	end_ns            INTEGER NOT NULL,
	attempts          INTEGER NOT NULL,
	load_ns           INTEGER NOT NULL, -- the provider's own figures
	prompt_eval_ns    INTEGER NOT NULL,
	eval_ns           INTEGER NOT NULL,
	energy_uj         INTEGER,          -- NULL: not known for this reply
	failure_kind      TEXT,             -- NULL: an answer
	failure_message   TEXT,
	tokens            TEXT    NOT NULL, -- JSON; empty: none were asked for
	host              TEXT    NOT NULL, -- empty: the machine of the run
	reused_from       TEXT    NOT NULL, -- empty: asked in this run
	checksum          BLOB,             -- of all the others; NULL: written before there were any
	PRIMARY KEY (model, query, sample)
) WITHOUT ROWID;

-- What a model makes of texts that it did not write: one row a model and query.
CREATE TABLE probes (
	model           INTEGER NOT NULL,
	query           INTEGER NOT NULL,
	answers         TEXT    NOT NULL, -- JSON
	choices         TEXT    NOT NULL, -- JSON
	divergences     TEXT    NOT NULL, -- JSON
	incomparable    TEXT    NOT NULL,
	start_ns        INTEGER NOT NULL,
	end_ns          INTEGER NOT NULL,
	failure_kind    TEXT,
	failure_message TEXT,
	checksum        BLOB    NOT NULL, -- of all the others
	PRIMARY KEY (model, query)
) WITHOUT ROWID;

CREATE TABLE phases (
	model    INTEGER NOT NULL,
	host     TEXT    NOT NULL,
	process  INTEGER NOT NULL,
	name     TEXT    NOT NULL,
	start_ns INTEGER NOT NULL,
	end_ns   INTEGER NOT NULL,
	reading  TEXT    NOT NULL, -- JSON, energies in microjoules
	checksum BLOB,             -- as of a reply
	PRIMARY KEY (model, host, process, name)
) WITHOUT ROWID;

CREATE TABLE scores (
	scoring INTEGER NOT NULL,
	model   INTEGER NOT NULL,
	query   INTEGER NOT NULL,
	sample  INTEGER NOT NULL,
	vals    TEXT NOT NULL, -- JSON object by metric: a number, or the reason why there is none. In rows of version 1 a list in the order of firstMetrics
	flags   TEXT NOT NULL, -- separated by spaces
	PRIMARY KEY (scoring, model, query, sample)
) WITHOUT ROWID;

CREATE TABLE reviews (
	model    INTEGER NOT NULL,
	query    INTEGER NOT NULL,
	sample   INTEGER NOT NULL,
	reviewer TEXT NOT NULL,
	verdict  TEXT NOT NULL,
	comment  TEXT NOT NULL,
	imported INTEGER NOT NULL, -- Unix time, ns
	checksum BLOB,
	PRIMARY KEY (model, query, sample, reviewer)
) WITHOUT ROWID;
`

var copy1 = copyRows("replies", "replies_1") + copyRows("phases", "phases_1") + copyRows("scores", "scores_1") + copyRows("reviews", "reviews_1") +
	copyRows("warnings", "warnings_1") + copyRows("gave_up", "gave_up_1") + `
INSERT INTO meta SELECT '` + uncheckedRows + `', '1' FROM meta WHERE key = 'run'; -- not in a new record
DROP TABLE replies_1;
DROP TABLE phases_1;
DROP TABLE scores_1;
DROP TABLE reviews_1;
DROP TABLE warnings_1;
DROP TABLE gave_up_1;
`

const hostTables = `
-- Machines that answered for the run, where it was not the one that asked.
CREATE TABLE hosts (
	name     TEXT PRIMARY KEY, -- as in replies.host
	host     TEXT NOT NULL,    -- JSON
	checksum BLOB NOT NULL     -- as of a reply
) WITHOUT ROWID;

-- What a second host answered.
CREATE TABLE audits (
	model    INTEGER NOT NULL,
	query    INTEGER NOT NULL,
	sample   INTEGER NOT NULL,
	host     TEXT    NOT NULL,
	reply    TEXT    NOT NULL, -- JSON
	checksum BLOB    NOT NULL,
	PRIMARY KEY (model, query, sample, host)
) WITHOUT ROWID;
`

const powerTable = `
-- What a model's machine drew over its turn in one process.
CREATE TABLE power (
	model    INTEGER NOT NULL,
	process  INTEGER NOT NULL,
	power    TEXT    NOT NULL, -- JSON, watts by zone and step
	checksum BLOB    NOT NULL, -- as of a reply
	PRIMARY KEY (model, process)
) WITHOUT ROWID;
`

const probesHost = `
ALTER TABLE probes ADD COLUMN host TEXT NOT NULL DEFAULT ''; -- as in replies; part of the checksum where it is not empty
`

// uncheckedRows is the key in meta of a record that has rows from before there
// were checksums.
const uncheckedRows = "rows without checksums"

// fromVersion1 selects the rows of a table of version 1 as version 2 has them.
var fromVersion1 = map[string]string{
	"replies": `SELECT model, query, 0 AS sample, text, '' AS reasoning, done_reason, prompt_tokens, completion_tokens, start_ns, end_ns,
		attempts, load_ns, prompt_eval_ns, eval_ns, energy_uj, failure_kind, failure_message, '' AS tokens, '' AS host, '' AS reused_from,
		NULL AS checksum FROM %s`,
	"probes": `SELECT 0 AS model, 0 AS query, '' AS answers, '' AS choices, '' AS divergences, '' AS incomparable, 0 AS start_ns, 0 AS end_ns,
		NULL AS failure_kind, NULL AS failure_message, x'' AS checksum, '' AS host FROM %s WHERE 0`,
	"phases":   `SELECT model, '' AS host, process, name, start_ns, end_ns, reading, NULL AS checksum FROM %s`,
	"scores":   `SELECT scoring, model, query, 0 AS sample, vals, flags FROM %s`,
	"reviews":  `SELECT model, query, 0 AS sample, reviewer, verdict, comment, imported, NULL AS checksum FROM %s`,
	"warnings": `SELECT text, NULL AS checksum FROM %s`,
	"gave_up":  `SELECT model, reason, NULL AS checksum FROM %s`,
}

func copyRows(table, from string) string {
	return "INSERT INTO " + table + " " + fmt.Sprintf(fromVersion1[table], from) + ";\n"
}

// viewVersion1 lets a record of version 1 be read as one of version 2 without
// a byte of it being changed: temporary views stand in front of its tables.
func viewVersion1() string {
	var b strings.Builder
	for table, rows := range fromVersion1 {
		fmt.Fprintf(&b, "CREATE TEMP VIEW %s AS %s;\n", table, fmt.Sprintf(rows, "main."+tableOf1(table)))
	}
	return b.String()
}

// tableOf1 is the table of version 1 that a table of version 2 comes from; one
// that is new stands before an empty selection.
func tableOf1(table string) string {
	if table == "probes" {
		return "replies"
	}
	return table
}

// firstMetrics is the order in which rows of version 1 list their scores.
var firstMetrics = []string{"em", "em_substring", "em_strict", "rouge_l_precision", "rouge_l_recall", "rouge_l_f1", "cosine", "cosine_best", "cosine_lift"}
