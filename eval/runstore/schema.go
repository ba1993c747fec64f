package runstore

// migrations bring a run.db from version i to i+1; PRAGMA user_version holds
// the version. They are never edited once released, only added to.
var migrations = []string{`
CREATE TABLE meta (
	key   TEXT PRIMARY KEY,
	value TEXT NOT NULL
) WITHOUT ROWID;

-- What was asked, whole, so that a run explains itself without other files.
CREATE TABLE queries (
	idx   INTEGER PRIMARY KEY, -- from 0, in the set's order
	query TEXT NOT NULL        -- JSON
);

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

CREATE TABLE scorings (
	id       INTEGER PRIMARY KEY,
	created  INTEGER NOT NULL, -- Unix time, ns
	complete INTEGER NOT NULL, -- 1 once every reply has its scores
	scoring  TEXT NOT NULL,    -- JSON
	floors   TEXT NOT NULL     -- JSON, by model name
);

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
`}
