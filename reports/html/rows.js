"use strict";
// What the scripts after this one share.

// Fields of a reply and of a query, in the order that replies.go writes them.
const MODEL = 0, QUERY = 1, TEXT = 2, CHARS = 3, DONE = 4, KIND = 5, MESSAGE = 6, SCORES = 7, FLAGS = 8,
  MS = 9, PROMPT_TOKENS = 10, TOKENS = 11, JOULES = 12, KEYWORD = 13, LCS = 14;
const ID = 0, PROMPT = 1, ANSWER = 2, ALIASES = 3, REFERENCE = 4, CATEGORY = 5;

const $ = (id) => document.getElementById(id);
const read = (element) => JSON.parse(element.textContent);

// The metrics in the order of a reply's scores: name, title, decimals.
const METRICS = read($("metrics"));
const metric = (name) => METRICS.findIndex((m) => m[0] === name);
const EM = metric("em"), ROUGE = metric("rouge_l_f1"), COSINE = metric("cosine");
const number = (x) => (typeof x === "number" ? x : null);

function outcome(r) {
  if (r[KIND]) return "failed";
  if (r[SCORES][EM] === 1) return "right";
  return r[SCORES][EM] === 0 ? "wrong" : "unscored";
}
