"use strict";
(() => {
  const PAGE = 50;
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
  function figure(name, value, unit) {
    return make("span", "", name + " ", make("b", "", value), unit ? " " + unit : "");
  }

  function figuresOf(r) {
    const line = make("p", "figures");
    r[SCORES].forEach((s, i) => {
      if (s === undefined) return; // the page does not hold it
      const f = figure(METRICS[i][1], number(s) === null ? "—" : s.toFixed(METRICS[i][2]));
      if (number(s) === null && s) f.append(" (" + plain(String(s)) + ")");
      line.append(f);
    });
    if (r[MS] !== null) line.append(figure("latency", r[MS].toFixed(1), "ms"));
    if (r[TOKENS] !== undefined) line.append(figure("tokens", r[PROMPT_TOKENS] + " + " + r[TOKENS]));
    if (r[JOULES] !== null) line.append(figure("energy", r[JOULES], "J"));
    if (r[DONE]) line.append(figure("ended by", plain(r[DONE])));
    return line;
  }

  function said(r) {
    if (r[KIND]) return make("p", "said none", "No answer (" + plain(r[KIND]) + "): ", ...shown(r[MESSAGE]));
    if (r[TEXT] === null) return make("p", "said none", "This page has no room for the text: it is in replies.jsonl.");
    if (r[TEXT] === "") return make("p", "said none", "The reply is empty.");
    return make("p", "said", ...marked(r[TEXT], r[KEYWORD], r[LCS]));
  }

  const flagNames = { negated: "negated", em_disagrees: "EM and substring disagree" };

  // card is one reply. In the list it names its query and offers the
  // comparison; side by side only the model.
  function card(r, q, side) {
    const kind = outcome(r);
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
      if (q[PROMPT] !== null) e.append(make("p", "prompt", ...shown(q[PROMPT])));
    }
    e.append(said(r));
    if (r[CHARS]) e.append(make("p", "cut", `Cut here: ${[...r[TEXT]].length.toLocaleString("en")} of ${r[CHARS].toLocaleString("en")} characters. The whole reply is in replies.jsonl.`));
    if (!side && q[PROMPT] !== null) e.append(expected(q));
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
  let found = [], note = "", at = 0, search = 0;

  // refilter shows what matches. Of very many replies a search for text comes in
  // parts; a newer one ends it.
  async function refilter() {
    const mine = ++search;
    const f = { text: controls.text.value.toLowerCase() };
    for (const name of ["model", "category", "outcome", "flag", "sort"]) f[name] = controls[name].value;
    at = 0;
    try {
      await source.find(f, (now, how) => {
        if (mine !== search) return false;
        found = now;
        note = how;
        turn(at);
        return true;
      });
    } catch (e) {
      broken(e);
    }
  }

  function broken(e) {
    list.replaceChildren(make("p", "notice bad", "The replies in this page cannot be unpacked (" + plain(String(e)) + "). They are in replies.jsonl."));
  }

  let turned = 0;
  async function turn(to) {
    const mine = ++turned;
    const last = Math.max(0, Math.ceil(found.length / PAGE) - 1);
    at = Math.min(Math.max(0, to), last);
    count.textContent = `${found.length.toLocaleString("en")} of ${source.total.toLocaleString("en")} replies, page ${at + 1} of ${last + 1}${note}`;
    for (const b of document.querySelectorAll(".prev")) b.disabled = at === 0;
    for (const b of document.querySelectorAll(".next")) b.disabled = at === last;
    try {
      const rows = await source.rows(found.slice(at * PAGE, (at + 1) * PAGE));
      if (mine !== turned) return;
      list.replaceChildren(...rows.map(({ r, q }) => card(r, q, false)));
      if (!rows.length) list.append(make("p", "notice", source.total ? "No reply matches these filters." : "This run has no replies."));
    } catch (e) {
      broken(e);
    }
  }

  function fill(select, names) {
    names.forEach((name, i) => { const o = make("option", "", plain(name) || "none"); o.value = String(i); select.append(o); });
  }

  function choose(filters) {
    $("filter").reset();
    const m = models.indexOf(filters.get("model")), c = source.categories.indexOf(filters.get("category"));
    if (m >= 0) controls.model.value = String(m);
    if (c >= 0) controls.category.value = String(c);
    for (const name of ["outcome", "flag", "text"]) if (filters.has(name)) controls[name].value = filters.get(name);
    refilter();
    $("replies").scrollIntoView();
  }

  function startList() {
    fill(controls.model, models);
    fill(controls.category, source.categories);
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

  async function showQuery(i) {
    open = i;
    const { q, rows } = await source.ofQuery(i);
    if (open !== i) return;
    $("side-title").textContent = plain(q[ID]);
    $("side-question").replaceChildren(...(q[PROMPT] === null ? [] : [make("p", "prompt", ...shown(q[PROMPT])), expected(q)]));
    $("side-list").replaceChildren(...rows.map((r) => card(r, q, true)));
    $("side-prev").disabled = i === 0;
    $("side-next").disabled = i === source.queries - 1;
    if (!side.open) side.showModal();
    side.scrollTop = 0;
  }

  async function goTo(i) { location.hash = "q=" + encodeURIComponent(await source.id(i)); }

  async function follow() {
    const wanted = new URLSearchParams(location.hash.slice(1).replaceAll("+", "%2B"));
    if (wanted.has("q")) {
      const i = await source.at(wanted.get("q"));
      if (i !== undefined) await showQuery(i);
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
    const went = () => follow().catch(broken);
    addEventListener("hashchange", went);
    went();
  }

  source.start().then(() => {
    startList();
    startSide();
  }, broken);
})();
