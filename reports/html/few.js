
// The replies of a page that holds all of them as they are. many.js offers the
// same of more than that.
const source = (() => {
  const queries = read($("queries"));
  const replies = [];
  for (const block of document.querySelectorAll("script.replies")) {
    for (const r of read(block)) replies.push(r);
    block.remove();
  }
  const byQuery = queries.map(() => []);
  for (const r of replies) byQuery[r[QUERY]].push(r);
  const queryAt = new Map(queries.map((q, i) => [q[ID], i]));
  const categories = [...new Set(queries.map((q) => q[CATEGORY]))];

  const low = (i) => (r) => number(r[SCORES][i]) ?? Infinity;
  const high = (i) => (r) => -(number(r[SCORES][i]) ?? -Infinity);
  const orders = {
    query: (r) => r[QUERY], em: low(EM), rouge: low(ROUGE), cosine: low(COSINE), "cosine-high": high(COSINE),
    latency: (r) => -(r[MS] ?? -Infinity), length: (r) => -(r[CHARS] || r[TEXT].length),
  };

  function matches(r, f) {
    const q = queries[r[QUERY]];
    if (f.model !== "" && r[MODEL] !== Number(f.model)) return false;
    if (f.category !== "" && q[CATEGORY] !== categories[f.category]) return false;
    if (f.outcome && outcome(r) !== f.outcome) return false;
    if (f.flag && !r[FLAGS].includes(f.flag)) return false;
    return !f.text || [r[TEXT], r[MESSAGE], q[ID], q[PROMPT], q[ANSWER]].some((s) => s.toLowerCase().includes(f.text));
  }

  function find(f) {
    const found = replies.filter((r) => matches(r, f));
    const order = orders[f.sort];
    if (order) {
      const keys = new Map(found.map((r) => [r, order(r)]));
      found.sort((a, b) => { const x = keys.get(a), y = keys.get(b); return x < y ? -1 : x > y ? 1 : 0; });
    }
    return found;
  }

  return {
    total: replies.length, queries: queries.length, categories,
    start: async () => {},
    // find yields once or more often what matches, as far as it was searched.
    find: async (f, tell) => tell(find(f), ""),
    // rows are some of what find told, each with its query.
    rows: async (found) => found.map((r) => ({ r, q: queries[r[QUERY]] })),
    ofQuery: async (i) => ({ q: queries[i], rows: byQuery[i] }),
    at: async (id) => queryAt.get(id),
    id: async (i) => queries[i][ID],
  };
})();
