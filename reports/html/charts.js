"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const read = (element) => JSON.parse(element.textContent);

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
    const along = o.tooltip?.trigger === "axis"; // all lines at one place
    o.tooltip = {
      trigger: along ? "axis" : "item", renderMode: "richText", confine: true, backgroundColor: style("--card"), borderColor: style("--line"),
      textStyle: { color: ink, fontSize: 12 }, formatter: along ? (all) => [`${Math.round(all[0].axisValue * 100) / 100} s`, ...all.map((p) => `${p.seriesName}: ${p.value[1]} W`)].join("\n") : (p) => (p.data && p.data.name) || p.seriesName,
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
        location.hash = new URLSearchParams({ model: read($("models"))[x], category }).toString().replaceAll("+", "%20");
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
})();
