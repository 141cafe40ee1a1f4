// The rate-distortion plot: an SVG that is drawn anew whenever something about it changes.

{
  const data = readJson("curves-data");
  const svg = byId("chart");
  const tip = byId("tip");
  const metricOf = Object.fromEntries(data.metrics.map((metric) => [metric.key, metric]));
  const hidden = new Set(data.series.filter((series) => !series.shown).map((series) => series.name));
  const margin = { top: 34, right: 14, bottom: 46, left: 52 };
  let drawn = []; // {series, points: [{x, y, bpp, value, label}]} in the order of the data
  let focus = null; // [curve, point] that is pointed at

  const colour = (series) => (series.colour === null ? "var(--soft)" : `var(--c${series.colour})`);

  function pointsOf(series, metric, which) {
    const source = which === "" ? series.mean : series.images?.[which];
    return source?.[metric] ?? [];
  }

  function qualityKind() {
    const near = metricOf[byId("metric").value].near_one;
    byId("quality-switch").disabled = !near;
    return near ? chosen("quality-axis") : "linear";
  }

  function shape(marker, x, y, size) {
    const r = size;
    const corner = (points) => `M${points.map(([a, b]) => `${x + a * r},${y + b * r}`).join("L")}Z`;
    return {
      o: `M${x - r},${y}a${r},${r} 0 1 0 ${2 * r},0a${r},${r} 0 1 0 ${-2 * r},0Z`,
      s: corner([[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]]),
      "^": corner([[0, -1.2], [1.1, 0.8], [-1.1, 0.8]]),
      D: corner([[0, -1.2], [1.2, 0], [0, 1.2], [-1.2, 0]]),
      v: corner([[0, 1.2], [1.1, -0.8], [-1.1, -0.8]]),
      P: corner([[-0.4, -1.2], [0.4, -1.2], [0.4, -0.4], [1.2, -0.4], [1.2, 0.4], [0.4, 0.4], [0.4, 1.2], [-0.4, 1.2], [-0.4, 0.4], [-1.2, 0.4], [-1.2, -0.4], [-0.4, -0.4]]),
      X: corner([[-1, -0.5], [-0.5, -1], [0, -0.5], [0.5, -1], [1, -0.5], [0.5, 0], [1, 0.5], [0.5, 1], [0, 0.5], [-0.5, 1], [-1, 0.5], [-0.5, 0]]),
    }[marker];
  }

  function mark(series, x, y, size) {
    if (!series.marker) return null;
    const hollow = series.kind === "nominal";
    const attributes = { d: shape(series.marker, x, y, size), class: hollow ? "mark hollow" : "mark" };
    const element = make("path", attributes);
    element.style[hollow ? "stroke" : "fill"] = colour(series);
    return element;
  }

  function curve(series, path) {
    const element = make("path", { d: path, class: `curve ${series.kind}`, "stroke-dasharray": series.dash });
    element.style.stroke = colour(series);
    return element;
  }

  function draw() {
    const metric = byId("metric").value;
    const which = byId("which").value;
    const kinds = { x: chosen("rate-axis"), y: qualityKind() };
    const width = Math.max(280, svg.parentElement.clientWidth);
    const height = Math.round(Math.min(Math.max(width * 0.56, 300), 560));
    const visible = data.series
      .filter((series) => !hidden.has(series.name))
      .map((series) => ({ series, points: pointsOf(series, metric, which) }))
      .filter((entry) => entry.points.some(([bpp]) => bpp <= data.max_bpp));
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.replaceChildren();
    showTip(null);
    drawn = [];
    noteMissing(visible, metric, which);
    const rates = rateRange(visible, kinds.x);
    const values = visible.flatMap((entry) => entry.points.filter(([bpp]) => bpp <= rates[1]).map((point) => point[1]));
    if (!values.length) {
      svg.append(make("text", { x: width / 2, y: height / 2, class: "empty" }, "Nothing to draw: no chosen codec has this metric here."));
      return;
    }
    const qualities = padded(kinds.y, values);
    const box = { left: margin.left, right: width - margin.right, top: margin.top, bottom: height - margin.bottom };
    const x = scale(kinds.x, rates, [box.left, box.right]);
    const y = scale(kinds.y, qualities, [box.bottom, box.top]);
    drawAxes(kinds, { rates, qualities }, { x, y }, box);
    const clip = make("clipPath", { id: "inside" }, make("rect", { x: box.left, y: 0, width: box.right - box.left + 1, height: box.bottom + 1 }));
    svg.append(clip);
    for (const entry of visible) drawSeries(entry, { x, y }, rates);
    svg.append(make("path", { id: "halo", class: "halo", d: "" }));
    byId("chart-name").textContent = `${metricOf[metric].title} over bits per pixel, ${which === "" ? "mean over images" : which}: ${visible.map((entry) => entry.series.name).join(", ")}`;
  }

  function rateRange(visible, kind) {
    const all = visible.flatMap((entry) => entry.points.map(([bpp]) => bpp));
    const high = Math.min(data.max_bpp, Math.max(...all, 0.1) * 1.02);
    if (kind === "linear") return [0, high];
    return [Math.max(0.02, Math.min(...all, high / 2) * 0.9), high];
  }

  function drawAxes(kinds, ranges, { x, y }, box) {
    const grid = make("g", { class: "grid" });
    const labels = make("g", { class: "labels" });
    const metric = metricOf[byId("metric").value];
    for (const tick of ticksOf(kinds.x, ranges.rates, true, box.right - box.left)) {
      grid.append(make("line", { x1: x(tick), x2: x(tick), y1: box.top, y2: box.bottom }));
      labels.append(make("text", { x: x(tick), y: box.bottom + 19, "text-anchor": "middle" }, String(tick)));
    }
    let last = Infinity;
    for (const tick of ticksOf(kinds.y, ranges.qualities, false, box.bottom - box.top)) {
      if (last - y(tick) < 18) continue;
      last = y(tick);
      grid.append(make("line", { x1: box.left, x2: box.right, y1: last, y2: last }));
      labels.append(make("text", { x: box.left - 10, y: last + 4, "text-anchor": "end" }, String(tick)));
    }
    labels.append(make("text", { x: (box.left + box.right) / 2, y: box.bottom + 40, "text-anchor": "middle" }, "rate (bits per pixel)"));
    labels.append(make("text", { x: 0, y: 14, class: "title" }, metric.title));
    svg.append(grid, labels, make("line", { class: "axis", x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom }));
  }

  function drawSeries({ series, points }, { x, y }, [low, high]) {
    const placed = points.map(([bpp, value, label]) => ({ x: x(bpp), y: y(value), bpp, value, label }));
    const group = make("g", { class: "series", "data-series": series.name });
    const path = placed.map((point, k) => `${k ? "L" : "M"}${point.x.toFixed(1)},${point.y.toFixed(1)}`).join("");
    const line = curve(series, path);
    line.setAttribute("clip-path", "url(#inside)");
    group.append(line);
    const inside = placed.filter((point) => point.bpp >= low && point.bpp <= high * 1.0001);
    const marks = inside.length <= 40 ? inside.map((point) => mark(series, point.x, point.y, 4)) : [];
    group.append(...marks.filter(Boolean));
    svg.append(group);
    drawn.push({ series, group, points: inside });
  }

  function noteMissing(visible, metric, which) {
    const drawnNames = new Set(visible.map((entry) => entry.series.name));
    const absent = data.series.filter((series) => !hidden.has(series.name) && !drawnNames.has(series.name));
    const parts = [which === "" ? data.mean_note : `Image ${which} alone; published curves are means over their own images.`];
    const beyond = absent.filter((series) => pointsOf(series, metric, which).length);
    const without = absent.filter((series) => !beyond.includes(series));
    const names = (list) => list.map((series) => series.name).join(", ");
    if (without.length) parts.push(`Without this metric here: ${names(without)}.`);
    if (beyond.length) parts.push(`Not drawn, all over ${data.max_bpp} bpp: ${names(beyond)}.`);
    byId("curve-note").textContent = parts.join(" ");
  }

  // What is pointed at.

  function digits(value) {
    return value.toFixed(metricOf[byId("metric").value].digits);
  }

  function showTip(target) {
    focus = target;
    const entry = target && drawn[target[0]];
    for (const each of drawn) each.group.classList.toggle("near", each === entry);
    svg.parentElement.classList.toggle("pointed", Boolean(entry));
    tip.hidden = !entry;
    if (!entry) {
      byId("halo")?.setAttribute("d", "");
      return;
    }
    const point = entry.points[target[1]];
    const metric = metricOf[byId("metric").value];
    const facts = `${point.bpp.toFixed(3)} bpp, ${metric.title.replace(/ \(dB\)$/, "")} ${digits(point.value)}${metric.unit}`;
    tip.replaceChildren(make("b", {}, entry.series.name), make("span", {}, [point.label, facts].filter(Boolean).join(" · ")));
    byId("halo").setAttribute("d", shape("o", point.x, point.y, 8));
    const room = svg.parentElement.clientWidth;
    const left = Math.min(Math.max(0, point.x - tip.offsetWidth / 2), room - tip.offsetWidth);
    const above = point.y - tip.offsetHeight - 14;
    tip.style.left = `${left}px`;
    tip.style.top = `${above > 0 ? above : point.y + 16}px`;
  }

  function nearest(event) {
    const frame = svg.getBoundingClientRect();
    const [px, py] = [event.clientX - frame.left, event.clientY - frame.top];
    let best = null;
    let reach = 40 ** 2;
    drawn.forEach((entry, s) =>
      entry.points.forEach((point, k) => {
        const distance = (point.x - px) ** 2 + (point.y - py) ** 2;
        if (distance < reach) [reach, best] = [distance, [s, k]];
      }),
    );
    return best;
  }

  function closest(points, bpp) {
    let best = 0;
    points.forEach((point, k) => {
      if (Math.abs(point.bpp - bpp) < Math.abs(points[best].bpp - bpp)) best = k;
    });
    return best;
  }

  function step(event) {
    const along = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const across = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (event.key === "Escape") showTip(null);
    if (!drawn.length || (!along && !across)) return;
    event.preventDefault();
    const [s, k] = focus ?? [0, -1];
    const here = drawn[s].points;
    if (along) showTip([s, Math.min(Math.max(0, k + along), here.length - 1)]);
    else {
      const next = (s + across + drawn.length) % drawn.length;
      if (drawn[next].points.length) showTip([next, closest(drawn[next].points, here[Math.max(0, k)].bpp)]);
    }
    byId("readout").textContent = tip.textContent;
  }

  // The legend.

  function legendEntry(series) {
    const input = make("input", { type: "checkbox" });
    input.checked = !hidden.has(series.name);
    input.addEventListener("change", () => {
      if (input.checked) hidden.delete(series.name);
      else hidden.add(series.name);
      draw();
    });
    const sample = make("svg", { viewBox: "0 0 34 14", "aria-hidden": "true" }, curve(series, "M1,7L33,7"));
    const centre = mark(series, 17, 7, 4);
    if (centre) sample.append(centre);
    return make("label", {}, input, sample, series.label);
  }

  function legend() {
    const groups = [
      ["Measured here, from the bytes of files", ["ours", "baseline"]],
      ["Measured here, at the nominal rate: iteration / 8 bpp, as if nothing were entropy coded", ["nominal"]],
      ["Published by others, as they state them; not measured here", ["published"]],
    ];
    for (const [title, kinds] of groups) {
      const members = data.series.filter((series) => kinds.includes(series.kind));
      if (members.length) byId("legend").append(make("h3", {}, title), ...members.map(legendEntry));
    }
  }

  fill(byId("metric"), data.metrics.map((metric) => [metric.key, metric.title]));
  fill(byId("which"), [["", `all ${data.images.length}, mean`], ...data.images.map((name) => [name, name])]);
  legend();
  for (const id of ["metric", "which"]) byId(id).addEventListener("change", draw);
  onChange(["rate-axis", "quality-axis"], draw);
  svg.addEventListener("pointermove", (event) => showTip(nearest(event)));
  svg.addEventListener("pointerdown", (event) => showTip(nearest(event)));
  svg.addEventListener("pointerleave", () => showTip(null));
  svg.addEventListener("keydown", step);
  svg.addEventListener("blur", () => showTip(null));
  new ResizeObserver(draw).observe(svg.parentElement);
}
