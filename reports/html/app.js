"use strict";
(() => {
  const PAGE = 50;
  // Fields of a reply and of a query, in the order that replies.go writes them.
  const MODEL = 0, QUERY = 1, TEXT = 2, CHARS = 3, DONE = 4, KIND = 5, MESSAGE = 6, SCORES = 7, FLAGS = 8,
    MS = 9, PROMPT_TOKENS = 10, TOKENS = 11, JOULES = 12, KEYWORD = 13, LCS = 14;
  const ID = 0, PROMPT = 1, ANSWER = 2, ALIASES = 3, REFERENCE = 4, CATEGORY = 5;
  const EM = 0, ROUGE = 5, COSINE = 6;
  const METRICS = ["EM", "substring", "strict", "ROUGE-L P", "ROUGE-L R", "ROUGE-L F1", "cosine", "cosine best", "lift"];
  const DECIMALS = [0, 0, 0, 4, 4, 4, 4, 4, 4];

  const $ = (id) => document.getElementById(id);
  const read = (element) => JSON.parse(element.textContent);

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
      const f = figure(METRICS[i], number(s) === null ? "—" : s.toFixed(DECIMALS[i]));
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
    if (r[CHARS]) e.append(make("p", "cut", `Cut here: ${[...r[TEXT]].length.toLocaleString("en")} of ${r[CHARS].toLocaleString("en")} characters. The whole reply stands in replies.jsonl.`));
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

  // ---- charts -----------------------------------------------------------------------

  const live = new Map(); // plots that are drawn
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const finite = (...xs) => xs.every(Number.isFinite);
  const stroke = (api) => ({ stroke: api.visual("color"), lineWidth: 2, fill: null });
  const line = (api, x1, y1, x2, y2) => ({ type: "line", shape: { x1, y1, x2, y2 }, style: stroke(api) });
  const dot = (api, cx, cy) => ({ type: "circle", shape: { cx, cy, r: 5 }, style: { fill: api.visual("color"), stroke: style("--card"), lineWidth: 1.5 } });
  const group = (children) => ({ type: "group", children: children.filter(Boolean) });

  // How custom series are drawn; charts.go says what values they get.
  const draw = {
    interval(_, api) {
      const [x, y] = api.coord([api.value(0), api.value(1)]);
      const n = api.value(5), step = Math.min(14, api.size([0, 1])[1] / (n + 1));
      const yy = y + (api.value(4) - (n - 1) / 2) * step;
      const lo = api.coord([api.value(2), 0])[0], hi = api.coord([api.value(3), 0])[0];
      if (!finite(x, yy, lo, hi)) return;
      return group([line(api, lo, yy, hi, yy), line(api, lo, yy - 4, lo, yy + 4), line(api, hi, yy - 4, hi, yy + 4), dot(api, x, yy)]);
    },
    whisker(_, api) {
      const [x, y] = api.coord([api.value(0), api.value(1)]);
      const xx = x + (api.value(4) - (api.value(5) - 1) / 2) * 4;
      const lo = api.coord([0, api.value(2)])[1], hi = api.coord([0, api.value(3)])[1];
      if (!finite(xx, y, lo, hi)) return;
      return group([line(api, xx, lo, xx, hi), dot(api, xx, y)]);
    },
    cross(_, api) {
      const [x, y] = api.coord([api.value(0), api.value(1)]);
      const [left, low] = api.coord([api.value(2), api.value(4)]), [right, high] = api.coord([api.value(3), api.value(5)]);
      if (!finite(x, y)) return;
      return group([finite(left, right) && line(api, left, y, right, y), finite(low, high) && line(api, x, low, x, high), dot(api, x, y)]);
    },
    bin(_, api) {
      const [x1, y1] = api.coord([api.value(0), api.value(2)]), [x2, y2] = api.coord([api.value(1), 0]);
      return { type: "rect", shape: { x: x1 + 0.5, y: y1, width: Math.max(1, x2 - x1 - 1), height: Math.max(0, y2 - y1) }, style: { fill: api.visual("color") } };
    },
  };

  // colored resolves var(--name) in an option by the page's style.
  function colored(value) {
    if (typeof value === "string") return value.startsWith("var(") ? style(value.slice(4, -1)) : value;
    if (Array.isArray(value)) return value.map(colored);
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, colored(v)]));
    return value;
  }

  // axis is an axis in the page's colours. Names beside the plot get a third of
  // the width and one line each; names above it are broken to fit, and slanted
  // where that would leave a few letters a line.
  function axis(a, width) {
    const names = a.type === "category", beside = names && a.inverse;
    const muted = style("--muted"), soft = style("--line");
    const label = { ...a.axisLabel, color: names ? style("--ink") : muted, hideOverlap: !names, lineHeight: 15 };
    if (beside) Object.assign(label, { interval: 0, width: Math.min(190, width * 0.34), overflow: "truncate" });
    else if (names && a.position === "top") {
      const room = (width * 0.66 - 46) / a.data.length - 6;
      Object.assign(label, room < 60 ? { interval: 0, rotate: 50, width: 110, overflow: "truncate" } : { interval: 0, width: room, overflow: "break" });
    } else if (names) Object.assign(label, { interval: width / a.data.length > 60 ? 0 : "auto", hideOverlap: true });
    return {
      ...a, splitNumber: width < 480 ? 3 : 5, nameTextStyle: { color: muted }, axisLabel: label,
      axisLine: { lineStyle: { color: soft } }, axisTick: { show: false }, splitLine: { show: !names, lineStyle: { color: soft } },
      splitArea: a.splitArea ? { show: true, areaStyle: { color: ["transparent", style("--soft")] } } : undefined,
    };
  }

  // legendOf is how many rows a chart's legend has and where the plot begins
  // below it. On a narrow chart every name has a row of its own.
  function legendOf(option, width) {
    const names = new Set(option.series.map((s) => s.name)).size;
    if (names < 2 || option.series.some((s) => s.type === "heatmap")) return { rows: 0, top: 30 };
    const rows = width < 480 ? names : 1;
    return { rows, top: 34 + 18 * rows };
  }

  // finished is an option with what JSON cannot hold and what depends on the
  // page: functions, colours, fonts.
  function finished(option, width) {
    const o = colored(option), ink = style("--ink");
    o.animation = false;
    o.textStyle = { fontFamily: getComputedStyle(document.body).fontFamily, color: ink };
    o.xAxis = o.xAxis.map((a) => axis(a, width));
    o.yAxis = o.yAxis.map((a) => axis(a, width));
    const named = o.xAxis.some((a) => a.name), heat = o.series.some((s) => s.type === "heatmap");
    const { rows, top } = legendOf(option, width);
    o.legend = rows === 0 ? { show: false } : {
      show: true, top: 0, left: 0, textStyle: { color: ink, width: width - 40, overflow: "truncate" }, itemWidth: 14, itemHeight: 10, icon: "roundRect",
      ...(rows > 1 ? { orient: "vertical", itemGap: 6 } : { type: "scroll", pageTextStyle: { color: ink } }),
    };
    o.grid = { left: 16, right: 30, top: heat ? 8 : top, bottom: named ? 34 : 8, containLabel: true };
    o.toolbox = { show: false };
    o.tooltip = {
      trigger: "item", renderMode: "richText", confine: true, backgroundColor: style("--card"), borderColor: style("--line"),
      textStyle: { color: ink, fontSize: 12 }, formatter: (p) => (p.data && p.data.name) || p.seriesName,
    };
    if (o.visualMap) o.visualMap = [].concat(o.visualMap).map((v) => ({ ...v, type: "continuous", min: 0, max: 1, inRange: { color: [style("--heat-low"), style("--heat-high")] } }));
    for (const s of o.series) {
      if (s.renderItem) s.renderItem = draw[s.renderItem];
      if (heat) {
        s.label = { show: true, formatter: (p) => p.value[3] };
        for (const d of s.data) d.label = { color: d.value[2] > 0.55 ? "#fff" : ink };
        s.itemStyle = { borderColor: style("--card"), borderWidth: 2, borderRadius: 4 };
      }
    }
    return o;
  }

  // paper is the width of a printed chart by the columns that it stands in, in
  // CSS pixels of a portrait page.
  function paper(element) {
    const grid = element.closest(".grid");
    return !grid ? 680 : grid.classList.contains("three") ? 215 : 330;
  }

  function plot(element, width) {
    const old = live.get(element);
    if (old) old.dispose();
    const option = read($("option-" + element.dataset.chart));
    element.classList.add("live");
    width ??= element.clientWidth;
    const height = Number(element.dataset.height) + 18 * Math.max(0, legendOf(option, width).rows - 1);
    element.style.height = height + "px";
    const chart = echarts.init(element, null, { renderer: "canvas", width, height });
    chart.setOption(finished(option, width));
    if (element.dataset.chart === "categories") {
      chart.on("click", (p) => {
        const [x, , , , category] = p.value;
        location.hash = new URLSearchParams({ model: models[x], category }).toString().replaceAll("+", "%20");
      });
    }
    live.set(element, chart);
    return chart;
  }

  function startCharts() {
    const plots = [...document.querySelectorAll(".plot")];
    if (typeof echarts === "undefined") {
      for (const d of document.querySelectorAll("details.data")) d.open = true;
      return;
    }
    for (const p of plots) { p.style.height = p.dataset.height + "px"; p.classList.add("live"); }
    const seen = new IntersectionObserver((entries) => {
      for (const e of entries) if (e.isIntersecting && !live.has(e.target)) plot(e.target);
    }, { rootMargin: "400px" });
    plots.forEach((p) => seen.observe(p));
    const redraw = () => [...live.keys()].forEach((element) => plot(element));
    let width = innerWidth, wait;
    addEventListener("resize", () => {
      if (innerWidth === width) return; // a phone's bars come and go
      width = innerWidth;
      clearTimeout(wait);
      wait = setTimeout(redraw, 100);
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    // Paper is white whatever the screen is.
    addEventListener("beforeprint", () => {
      document.documentElement.classList.add("print");
      for (const p of plots) plot(p, paper(p)).getZr().flush();
    });
    addEventListener("afterprint", () => { document.documentElement.classList.remove("print"); redraw(); });
  }

  startCharts();
  startList();
  startSide();
})();
