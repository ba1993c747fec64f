
// The replies of a page that holds columns of facts of all of them and texts in
// compressed pieces; many.go, columns.go and pieces.go write them. It offers the
// same as few.js. A reply is known by its slot: its place in the columns.
const source = (() => {
  const index = read($("index"));
  const models = read($("models")).length;
  const perModel = index.queries * index.samples, slots = models * perModel;
  const RIGHT = 1, WRONG = 2, FAILED = 4, OUTCOME_BITS = 3, OUTCOME = (1 << OUTCOME_BITS) - 1;
  const OUTCOMES = { right: RIGHT, wrong: WRONG, unscored: 3, failed: FAILED };
  const KEPT = 8; // unpacked pieces that stay in memory
  const PATIENCE = 100; // ms between what a search shows

  const queryOf = (slot) => Math.floor((slot % perModel) / index.samples);

  // ---- unpacking ---------------------------------------------------------------

  function binary(element) {
    const text = element.textContent;
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
    const chars = atob(text), bytes = new Uint8Array(chars.length);
    for (let i = 0; i < chars.length; i++) bytes[i] = chars.charCodeAt(i);
    return bytes;
  }

  const unpacked = (element) => new Response(new Blob([binary(element)]).stream().pipeThrough(new DecompressionStream("deflate-raw")));

  let facts, category, piece, rouge, cosine, latency, length;
  async function start() {
    const bytes = await unpacked($("columns")).arrayBuffer();
    let from = 0;
    const column = (type, n) => { const c = new type(bytes, from, n); from += c.byteLength; return c; };
    facts = column(Uint16Array, slots);
    category = column(Uint16Array, index.queries);
    piece = column(Uint16Array, index.queries);
    [rouge, cosine, latency, length] = [0, 0, 0, 0].map(() => column(Uint8Array, slots));
    $("held").textContent = `${index.replies.toLocaleString("en")} replies. This page holds the texts of ` + (index.held === index.answered ? "all of them." :
      `those to ${index.held.toLocaleString("en")} of ${index.answered.toLocaleString("en")} queries.`);
  }

  let ids;
  const allIDs = () => (ids ??= unpacked($("ids")).json());

  // A piece is a list of queries with their replies, here by the query's number.
  const P_QUERY = 0, P_PROMPT = 1, P_ANSWER = 2, P_ALIASES = 3, P_REFERENCE = 4, P_REPLIES = 5;
  const elements = document.querySelectorAll("script.piece");
  const kept = new Map();
  function entries(number) {
    let found = kept.get(number);
    if (found) kept.delete(number); // to be the newest
    else found = unpacked(elements[number - 1]).json().then((list) => new Map(list.map((e) => [e[P_QUERY], e])));
    kept.set(number, found);
    if (kept.size > KEPT) kept.delete(kept.keys().next().value);
    return found;
  }

  // ---- filter and sort ------------------------------------------------------------

  // select lists the slots that the columns say match, as asked.
  function select(f) {
    const want = OUTCOMES[f.outcome], at = index.flags.indexOf(f.flag), bit = at < 0 ? 0 : 1 << (OUTCOME_BITS + at);
    const found = new Uint32Array(slots);
    let n = 0;
    if (f.flag && !bit) return found.subarray(0, 0);
    const first = f.model === "" ? 0 : Number(f.model) * perModel, end = f.model === "" ? slots : first + perModel;
    const only = f.category === "" ? -1 : Number(f.category);
    for (let slot = first; slot < end; slot++) {
      const x = facts[slot];
      if (x === 0 || (want && (x & OUTCOME) !== want) || (bit && !(x & bit))) continue;
      if (only >= 0 && category[queryOf(slot)] !== only) continue;
      found[n++] = slot;
    }
    return found.subarray(0, n);
  }

  const lowFirst = (column) => (slot) => column()[slot] || 256;
  const highFirst = (column) => (slot) => 256 - column()[slot];
  const emOf = { [RIGHT]: 1, [WRONG]: 0 };
  const orders = {
    query: queryOf, em: (slot) => emOf[facts[slot] & OUTCOME] ?? 2, rouge: lowFirst(() => rouge), cosine: lowFirst(() => cosine),
    "cosine-high": highFirst(() => cosine), latency: highFirst(() => latency), length: highFirst(() => length),
  };

  // sorted counts how many slots have each key, so that each goes to its place.
  function sorted(found, key) {
    const places = new Uint32Array(Math.max(index.queries, 257) + 1);
    for (const slot of found) places[key(slot) + 1]++;
    for (let k = 1; k < places.length; k++) places[k] += places[k - 1];
    const out = new Uint32Array(found.length);
    for (const slot of found) out[places[key(slot)]++] = slot;
    return out;
  }

  // ---- search for text ---------------------------------------------------------------

  const holds = (s, text) => s.toLowerCase().includes(text);

  // mark notes the slots of one query in which the text stands.
  function mark(hits, e, text) {
    const whole = [P_PROMPT, P_ANSWER].some((i) => holds(e[i], text));
    e[P_REPLIES].forEach((said, i) => {
      if (said !== 0 && (whole || (typeof said === "string" ? holds(said, text) : holds(said[0], text) || holds(said[4], text)))) {
        hits[Math.floor(i / index.samples) * perModel + e[P_QUERY] * index.samples + (i % index.samples)] = 1;
      }
    });
  }

  async function search(found, text, tell) {
    const hits = new Uint8Array(slots);
    (await allIDs()).forEach((id, q) => {
      if (!holds(id, text)) return;
      for (let m = 0; m < models; m++) hits.fill(1, m * perModel + q * index.samples, m * perModel + (q + 1) * index.samples);
    });
    const matching = () => found.filter((slot) => hits[slot]);
    const needed = new Set();
    for (const slot of found) needed.add(piece[queryOf(slot)]);
    needed.delete(0);
    let done = 0, shown = performance.now();
    for (const number of needed) {
      for (const e of (await entries(number)).values()) mark(hits, e, text);
      done++;
      if (performance.now() - shown < PATIENCE) continue;
      if (!tell(matching(), `; searched ${Math.floor((100 * done) / needed.size)} % of the texts`)) return;
      await new Promise((r) => setTimeout(r, 0)); // let the page be used
      shown = performance.now();
    }
    tell(matching(), index.held === index.answered ? "" : "; searched the texts that are in this page");
  }

  // ---- rows ---------------------------------------------------------------------------

  // row makes of a slot what a row of few.js is.
  function row(slot, e) {
    const q = queryOf(slot), m = Math.floor(slot / perModel), kind = facts[slot] & OUTCOME;
    const said = e ? e[P_REPLIES][m * index.samples + (slot % index.samples)] : [null, 0, "", kind === FAILED ? "failed" : "", "see replies.jsonl"];
    const [text, chars, done, failure, message] = typeof said === "string" ? [said, 0, "", "", ""] : said;
    const scores = new Array(METRICS.length);
    if (kind !== FAILED) {
      scores[EM] = emOf[kind] ?? null;
      scores[ROUGE] = rouge[slot] ? (rouge[slot] - 1) / 254 : null;
      scores[COSINE] = cosine[slot] ? (cosine[slot] - 1) / 127 - 1 : null;
    }
    const flags = index.flags.filter((_, i) => facts[slot] & (1 << (OUTCOME_BITS + i))), sample = slot % index.samples;
    if (sample) flags.push("sample " + sample);
    return [m, q, text, chars, done, failure, message, scores, flags, null, undefined, undefined, null, [], []];
  }

  async function query(q) {
    const number = piece[q], e = number ? (await entries(number)).get(q) : null;
    const id = (await allIDs())[q], name = index.categories[category[q]];
    return { e, q: e ? [id, e[P_PROMPT], e[P_ANSWER], e[P_ALIASES], e[P_REFERENCE], name] : [id, null, null, [], null, name] };
  }

  return {
    total: index.replies, queries: index.queries, categories: index.categories,
    start,
    find: async (f, tell) => {
      let found = select(f);
      if (orders[f.sort]) found = sorted(found, orders[f.sort]);
      if (f.text) await search(found, f.text, tell);
      else tell(found, "");
    },
    rows: (found) => Promise.all(Array.from(found, async (slot) => {
      const { e, q } = await query(queryOf(slot));
      return { r: row(slot, e), q };
    })),
    ofQuery: async (i) => {
      const { e, q } = await query(i), rows = [];
      for (let m = 0; m < models; m++) {
        for (let s = 0; s < index.samples; s++) {
          const slot = m * perModel + i * index.samples + s;
          if (facts[slot]) rows.push(row(slot, e));
        }
      }
      return { q, rows };
    },
    at: async (id) => { const i = (await allIDs()).indexOf(id); return i < 0 ? undefined : i; },
    id: async (i) => (await allIDs())[i],
  };
})();
