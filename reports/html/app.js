"use strict";
(() => {
  const PAGE = 50;
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

  // Elements are made one by one and texts set as text: nothing that a model
  // says is ever parsed as markup.
  function make(tag, className, ...children) {
    const e = document.createElement(tag);
    if (className) e.className = className;
    e.append(...children.filter((c) => c !== null && c !== undefined));
    return e;
  }

  // ---- text that may hide things -------------------------------------------

  const hidden = /(?![\t\n])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

  // shown is a text as nodes, with every character that shows nothing or
  // reorders others written as its code.
  function shown(text) {
    const nodes = [];
    let from = 0;
    for (const m of text.matchAll(hidden)) {
      if (m.index > from) nodes.push(text.slice(from, m.index));
      nodes.push(make("span", "ctl", "U+" + m[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0")));
      from = m.index + m[0].length;
    }
    if (from < text.length) nodes.push(text.slice(from));
    return nodes;
  }

  function plain(text) {
    return text.replace(hidden, (c) => "\\u" + c.codePointAt(0).toString(16).padStart(4, "0"));
  }

  // marked is a reply with its keyword and common words highlighted. Spans are
  // flat lists of starts and ends in ascending order.
  function marked(text, keyword, lcs) {
    const cuts = [...new Set([0, text.length, ...keyword, ...lcs])].sort((a, b) => a - b);
    const within = (spans, at) => {
      for (let i = 0; i < spans.length; i += 2) if (spans[i] <= at && at < spans[i + 1]) return true;
      return false;
    };
    const nodes = [];
    for (let i = 0; i + 1 < cuts.length; i++) {
      const part = shown(text.slice(cuts[i], cuts[i + 1]));
      const name = [within(keyword, cuts[i]) && "kw", within(lcs, cuts[i]) && "lcs"].filter(Boolean).join(" ");
      if (name) nodes.push(make("mark", name, ...part));
      else nodes.push(...part);
    }
    return nodes;
  }

  // ---- replies --------------------------------------------------------------

  const models = read($("models"));
  const queries = read($("queries"));
  const replies = [];
  for (const block of document.querySelectorAll("script.replies")) {
    for (const r of read(block)) replies.push(r);
    block.remove();
  }
  const byQuery = queries.map(() => []);
  for (const r of replies) byQuery[r[QUERY]].push(r);
  const queryAt = new Map(queries.map((q, i) => [q[ID], i]));

  function outcome(r) {
    if (r[KIND]) return "failed";
    if (r[SCORES][EM] === 1) return "right";
    return r[SCORES][EM] === 0 ? "wrong" : "unscored";
  }

  const number = (x) => (typeof x === "number" ? x : null);

  function figure(name, value, unit) {
    return make("span", "", name + " ", make("b", "", value), unit ? " " + unit : "");
  }

  function figuresOf(r) {
    const line = make("p", "figures");
    r[SCORES].forEach((s, i) => {
      const f = figure(METRICS[i][1], number(s) === null ? "—" : s.toFixed(METRICS[i][2]));
      if (number(s) === null && s) f.append(" (" + plain(String(s)) + ")");
      line.append(f);
    });
    if (r[MS] !== null) line.append(figure("latency", r[MS].toFixed(1), "ms"));
    line.append(figure("tokens", r[PROMPT_TOKENS] + " + " + r[TOKENS]));
    if (r[JOULES] !== null) line.append(figure("energy", r[JOULES], "J"));
    if (r[DONE]) line.append(figure("ended by", plain(r[DONE])));
    return line;
  }

  function said(r) {
    if (r[KIND]) return make("p", "said none", "No answer (" + plain(r[KIND]) + "): ", ...shown(r[MESSAGE]));
    if (r[TEXT] === "") return make("p", "said none", "The reply is empty.");
    return make("p", "said", ...marked(r[TEXT], r[KEYWORD], r[LCS]));
  }

  const flagNames = { negated: "negated", em_disagrees: "EM and substring disagree" };

  // card is one reply. In the list it names its query and offers the
  // comparison; side by side only the model.
  function card(r, side) {
    const q = queries[r[QUERY]], kind = outcome(r);
    const head = make("header", "", make("span", "badge " + kind, kind),
      make("strong", "", make("span", "dot c" + (r[MODEL] % 8)), plain(models[r[MODEL]])));
    if (!side) {
      const link = make("a", "", plain(q[ID]));
      link.href = "#q=" + encodeURIComponent(q[ID]);
      head.append(link);
      if (q[CATEGORY]) head.append(make("small", "", plain(q[CATEGORY])));
    }
    for (const f of r[FLAGS]) head.append(make("span", "flag", flagNames[f] || plain(f)));
    const e = make("article", "reply", head);
    if (!side) {
      head.append(make("span", "grow"));
      const compare = make("button", "compare-models", "Compare models");
      compare.type = "button";
      compare.addEventListener("click", () => { location.hash = "q=" + encodeURIComponent(q[ID]); });
      head.append(compare);
      e.append(make("p", "prompt", ...shown(q[PROMPT])));
    }
    e.append(said(r));
    if (r[CHARS]) e.append(make("p", "cut", `Cut here: ${[...r[TEXT]].length.toLocaleString("en")} of ${r[CHARS].toLocaleString("en")} characters. The whole reply is in replies.jsonl.`));
    if (!side) e.append(expected(q));
    e.append(figuresOf(r));
    return e;
  }

  function expected(q) {
    const line = make("p", "expected", "Expected: ", make("b", "", ...shown(q[ANSWER])));
    if (q[ALIASES].length) line.append(" or ", ...shown(q[ALIASES].join(", ")));
    if (q[REFERENCE] && q[REFERENCE] !== q[ANSWER]) line.append("; reference: ", ...shown(q[REFERENCE]));
    return line;
  }

  // ---- filter, sort, page ------------------------------------------------------

  // Links name the filters as these do.
  const controls = { model: $("by-model"), category: $("by-category"), outcome: $("by-outcome"), flag: $("by-flag"), sort: $("by-sort"), text: $("by-text") };
  const count = $("count"), list = $("list");
  let found = replies, at = 0;

  const low = (i) => (r) => number(r[SCORES][i]) ?? Infinity;
  const high = (i) => (r) => -(number(r[SCORES][i]) ?? -Infinity);
  const orders = {
    query: (r) => r[QUERY], em: low(EM), rouge: low(ROUGE), cosine: low(COSINE), "cosine-high": high(COSINE),
    latency: (r) => -(r[MS] ?? -Infinity), length: (r) => -(r[CHARS] || r[TEXT].length),
  };

  function matches(r, model, text) {
    const q = queries[r[QUERY]];
    if (model !== "" && r[MODEL] !== Number(model)) return false;
    if (controls.category.value !== "" && q[CATEGORY] !== categories[controls.category.value]) return false;
    if (controls.outcome.value && outcome(r) !== controls.outcome.value) return false;
    if (controls.flag.value && !r[FLAGS].includes(controls.flag.value)) return false;
    return !text || [r[TEXT], r[MESSAGE], q[ID], q[PROMPT], q[ANSWER]].some((s) => s.toLowerCase().includes(text));
  }

  function refilter() {
    const model = controls.model.value, text = controls.text.value.toLowerCase();
    found = replies.filter((r) => matches(r, model, text));
    const order = orders[controls.sort.value];
    if (order) {
      const keys = new Map(found.map((r) => [r, order(r)]));
      found.sort((a, b) => { const x = keys.get(a), y = keys.get(b); return x < y ? -1 : x > y ? 1 : 0; });
    }
    turn(0);
  }

  function turn(to) {
    const last = Math.max(0, Math.ceil(found.length / PAGE) - 1);
    at = Math.min(Math.max(0, to), last);
    list.replaceChildren(...found.slice(at * PAGE, (at + 1) * PAGE).map((r) => card(r, false)));
    if (!found.length) list.append(make("p", "notice", replies.length ? "No reply matches these filters." : "This run has no replies."));
    count.textContent = `${found.length.toLocaleString("en")} of ${replies.length.toLocaleString("en")} replies, page ${at + 1} of ${last + 1}`;
    for (const b of document.querySelectorAll(".prev")) b.disabled = at === 0;
    for (const b of document.querySelectorAll(".next")) b.disabled = at === last;
  }

  const categories = [...new Set(queries.map((q) => q[CATEGORY]))];
  function fill(select, names) {
    names.forEach((name, i) => { const o = make("option", "", plain(name) || "none"); o.value = String(i); select.append(o); });
  }

  function choose(filters) {
    $("filter").reset();
    const m = models.indexOf(filters.get("model")), c = categories.indexOf(filters.get("category"));
    if (m >= 0) controls.model.value = String(m);
    if (c >= 0) controls.category.value = String(c);
    for (const name of ["outcome", "flag", "text"]) if (filters.has(name)) controls[name].value = filters.get(name);
    refilter();
    $("replies").scrollIntoView();
  }

  function startList() {
    fill(controls.model, models);
    fill(controls.category, categories);
    let wait;
    for (const c of Object.values(controls)) c.addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(refilter, c === controls.text ? 150 : 0); });
    $("filter").addEventListener("submit", (e) => e.preventDefault());
    $("filter").addEventListener("reset", () => setTimeout(refilter, 0));
    const step = (by) => { turn(at + by); $("filter").scrollIntoView(); };
    for (const b of document.querySelectorAll(".prev")) b.addEventListener("click", () => step(-1));
    for (const b of document.querySelectorAll(".next")) b.addEventListener("click", () => step(1));
    refilter();
  }

  // ---- one query, all models ------------------------------------------------------

  const side = $("side");
  let open = 0;

  function showQuery(i) {
    open = i;
    const q = queries[i];
    $("side-title").textContent = plain(q[ID]);
    $("side-question").replaceChildren(make("p", "prompt", ...shown(q[PROMPT])), expected(q));
    $("side-list").replaceChildren(...byQuery[i].map((r) => card(r, true)));
    $("side-prev").disabled = i === 0;
    $("side-next").disabled = i === queries.length - 1;
    if (!side.open) side.showModal();
    side.scrollTop = 0;
  }

  function goTo(i) { location.hash = "q=" + encodeURIComponent(queries[i][ID]); }

  function follow() {
    const wanted = new URLSearchParams(location.hash.slice(1).replaceAll("+", "%2B"));
    if (wanted.has("q")) {
      const i = queryAt.get(wanted.get("q"));
      if (i !== undefined) showQuery(i);
      return;
    }
    if (side.open) side.close();
    if (["model", "outcome", "category", "flag", "text"].some((name) => wanted.has(name))) choose(wanted);
  }

  function startSide() {
    $("side-close").addEventListener("click", () => side.close());
    $("side-prev").addEventListener("click", () => goTo(open - 1));
    $("side-next").addEventListener("click", () => goTo(open + 1));
    // Closing leaves a fragment that links to nothing, so that the same query
    // can be opened again.
    side.addEventListener("close", () => { if (location.hash.startsWith("#q=")) history.replaceState(null, "", "#list"); });
    addEventListener("hashchange", follow);
    follow();
  }

  startList();
  startSide();
})();
