"use strict";
// The page of a run. Text that a model or a data set wrote comes in as JSON and is shown only through textContent.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const place = (id) => document.getElementById(id);
  const SVG = "http://www.w3.org/2000/svg";

  // ---------------------------------------------------------------- small helpers
  function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value === true ? "" : value);
    }
    for (const child of children.flat(Infinity)) {
      if (child !== null && child !== undefined) node.append(child); // text becomes a text node
    }
    return node;
  }
  const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
  const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
  function number(value, digits = 2) { // halves away from zero, as the tables round: 71.725 is 71.73
    if (value === null || value === undefined) return "–";
    const size = (Math.round(Number(`${Math.abs(value).toFixed(6)}e${digits}`)) / 10 ** digits).toFixed(digits);
    return value < 0 && Number(size) ? `-${size}` : size;
  }
  const label = Object.fromEntries([...data.students, ...data.methods].map(([id, text]) => [id, text]));
  const hue = Object.fromEntries(data.methods.map(([id, , colour]) => [id, colour]));
  const known = (pairs, ids) => pairs.map(([id]) => id).filter((id) => ids.has(id));
  const options = (node, pairs) => node.replaceChildren(...pairs.map(([value, text]) => h("option", { value }, text)));
  const between = (row) =>
    row.low === null || row.low === undefined ? "" : `${number(row.low)} to ${number(row.high)}`;

  const cellsOf = new Map(); // the cells of a student, method and benchmark, one for each replicate
  data.cells.forEach(([student, method, replicate, benchmark, files]) => {
    const key = [student, method, benchmark].join("/");
    if (!cellsOf.has(key)) cellsOf.set(key, []);
    cellsOf.get(key).push({ replicate, files });
  });
  const spread = (row) => (row.replicates > 1 ? `, mean of ${row.replicates} seeds, standard deviation ${number(row.std)}` : "");

  for (const section of document.querySelectorAll("main section")) {
    document.querySelector("nav").append(h("a", { href: `#${section.id}` }, section.querySelector("h2").textContent));
  }

  // ---------------------------------------------------------------- trade-off
  const FORMS = [
    "M-6,0a6,6 0 1,0 12,0a6,6 0 1,0 -12,0",
    "M-5.5,-5.5h11v11h-11z",
    "M0,-7.5L7.5,0L0,7.5L-7.5,0z",
    "M0,-7L7,5.5H-7z",
    "M0,7L7,-5.5H-7z",
    "M-2.5,-7h5v4.5h4.5v5h-4.5v4.5h-5v-4.5h-4.5v-5h4.5z",
    "M-5,-7L0,-2.5L5,-7L7,-5L2.5,0L7,5L5,7L0,2.5L-5,7L-7,5L-2.5,0L-7,-5z",
  ];
  const points = new Map(); // every student and method with both averages, from any table or figure that has them
  for (const table of data.tables) {
    if (!/^(table|figure)/.test(table.name)) continue;
    const found = new Map();
    for (const row of table.rows) {
      if (row.metric !== "safety_avg" && row.metric !== "reasoning_avg") continue;
      const key = `${row.student}/${row.method}`;
      if (!found.has(key)) found.set(key, { student: row.student, method: row.method });
      found.get(key)[row.metric] = row;
    }
    for (const [key, point] of found) {
      if (point.safety_avg && point.reasoning_avg && !points.has(key)) points.set(key, point);
    }
  }
  const marks = [...points.values()].filter((p) => p.safety_avg.value !== null && p.reasoning_avg.value !== null);
  const hidden = new Set();

  function scale(values, from, to) {
    let [low, high] = [Math.min(...values), Math.max(...values)];
    const margin = (high - low || 10) * 0.06;
    [low, high] = [low - margin, high + margin];
    const step = [1, 2, 5, 10, 20, 25, 50].find((size) => (high - low) / size <= 8) || 100;
    const ticks = [];
    for (let tick = Math.ceil(low / step) * step; tick <= high; tick += step) ticks.push(tick);
    return { at: (value) => from + ((value - low) / (high - low)) * (to - from), ticks };
  }

  function drawTradeoff() {
    const shown = marks.filter((p) => !hidden.has(p.method) && !hidden.has(p.student));
    place("tradeoff-note").textContent = marks.length
      ? `${shown.length} of ${marks.length} marks shown.`
      : "No table of this run has both averages, which need all eight benchmarks.";
    if (!marks.length) return;
    const width = Math.max(300, Math.min(900, place("tradeoff-figure").clientWidth)); // so that text keeps its size
    const [height, left, bottom] = [Math.round(Math.max(320, width * 0.58)), 62, 58];
    const ends = (metric) => marks.flatMap((p) => [p[metric].value, p[metric].low, p[metric].high]).filter((v) => v !== null);
    const x = scale(ends("safety_avg"), left, width - 16);
    const y = scale(ends("reasoning_avg"), height - bottom, 16);
    const tip = h("div", { class: "tip", hidden: true });
    const figure = s("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-labelledby": "tradeoff-title" });
    for (const tick of x.ticks) {
      figure.append(s("line", { class: "grid", x1: x.at(tick), x2: x.at(tick), y1: 16, y2: height - bottom }));
      figure.append(s("text", { class: "soft", x: x.at(tick), y: height - bottom + 18, "text-anchor": "middle" }, String(tick)));
    }
    for (const tick of y.ticks) {
      figure.append(s("line", { class: "grid", x1: left, x2: width - 16, y1: y.at(tick), y2: y.at(tick) }));
      figure.append(s("text", { class: "soft", x: left - 8, y: y.at(tick) + 4, "text-anchor": "end" }, String(tick)));
    }
    figure.append(s("text", { x: (left + width) / 2, y: height - 12, "text-anchor": "middle" }, width < 500 ? "← better · Safety average, %" : "← better · Safety average, % unsafe or refused"));
    figure.append(s("text", { transform: `translate(16 ${(height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, width < 500 ? "Reasoning average, % · better →" : "Reasoning average, % pass@1 · better →"));
    shown.sort((a, b) => (a.method === "thinksafe") - (b.method === "thinksafe")); // on top of marks at the same place
    const at = new Map(shown.map((p) => [`${p.student}/${p.method}`, [x.at(p.safety_avg.value), y.at(p.reasoning_avg.value)]]));
    for (const [student] of data.students) { // from a student to itself after ThinkSafe
      const [from, to] = [at.get(`${student}/initial`), at.get(`${student}/thinksafe`)];
      if (from && to) figure.append(s("line", { class: "way", x1: from[0], y1: from[1], x2: to[0], y2: to[1] }));
    }
    for (const point of shown) {
      const [sa, ra] = [point.safety_avg, point.reasoning_avg];
      const [px, py] = [x.at(sa.value), y.at(ra.value)];
      const lines = [
        `${label[point.method] || point.method} on ${label[point.student] || point.student}`,
        `safety average ${number(sa.value)} (${between(sa)})${spread(sa)}`,
        `reasoning average ${number(ra.value)} (${between(ra)})${spread(ra)}`,
      ];
      const near = shown.filter((other) => other !== point && Math.hypot(x.at(other.safety_avg.value) - px, y.at(other.reasoning_avg.value) - py) < 5);
      const show = () => {
        tip.replaceChildren(h("b", {}, lines[0]), ...lines.slice(1).map((line) => h("div", {}, line)),
          near.length ? h("div", {}, "here, too: ", near.map((other) => `${label[other.method]} on ${label[other.student]}`).join(", ")) : "");
        tip.hidden = false;
        const box = figure.getBoundingClientRect();
        const ratio = box.width / width;
        tip.style.left = `${Math.max(0, Math.min(px * ratio + 14, box.width - tip.offsetWidth))}px`;
        tip.style.top = `${Math.max(0, py * ratio - tip.offsetHeight - 10)}px`;
      };
      const open = () => goTo(point.student, point.method);
      const colour = hue[point.method] || "#7f7f7f";
      figure.append(
        s(
          "g",
          {
            class: "mark", tabindex: 0, role: "button", "aria-label": lines.join(", ") + ". Opens its samples.",
            onmouseenter: show, onfocus: show, onmouseleave: () => (tip.hidden = true), onblur: () => (tip.hidden = true),
            onclick: open, onkeydown: (event) => (event.key === "Enter" || event.key === " ") && (event.preventDefault(), open()),
          },
          sa.low === null ? null : s("line", { x1: x.at(sa.low), x2: x.at(sa.high), y1: py, y2: py, stroke: colour, opacity: 0.55 }),
          ra.low === null ? null : s("line", { x1: px, x2: px, y1: y.at(ra.low), y2: y.at(ra.high), stroke: colour, opacity: 0.55 }),
          s("path", { class: "form", d: form(point.student), fill: colour, stroke: "#fff", transform: `translate(${px} ${py})` }),
        ),
      );
    }
    place("tradeoff-figure").replaceChildren(figure, tip);
  }
  const form = (student) => FORMS[data.students.findIndex(([id]) => id === student) % FORMS.length];

  function drawFilters() {
    const line = (name, ids, sign) =>
      h("div", { class: "filter", role: "group", "aria-label": name },
        ids.map((id) => h("button", { type: "button", "aria-pressed": "true", "data-filter": id, onclick: () => hide([id], !hidden.has(id)) }, sign(id), label[id])),
        ids.length > 2 ? [["all", false], ["none", true]].map(([text, off]) => h("button", { type: "button", class: "plain", "aria-label": `${text} ${name.toLowerCase()}`, onclick: () => hide(ids, off) }, text)) : null);
    const hide = (ids, off) => {
      for (const id of ids) {
        off ? hidden.add(id) : hidden.delete(id);
        document.querySelector(`[data-filter="${CSS.escape(id)}"]`).setAttribute("aria-pressed", String(!off));
      }
      drawTradeoff();
    };
    const drawn = (d, colour) => s("svg", { width: 14, height: 14, viewBox: "-8 -8 16 16", "aria-hidden": "true" }, s("path", { d, fill: colour }));
    place("tradeoff-filters").replaceChildren(
      line("Methods", known(data.methods, new Set(marks.map((p) => p.method))), (id) => drawn(FORMS[0], hue[id])),
      line("Students", known(data.students, new Set(marks.map((p) => p.student))), (id) => drawn(form(id), "currentColor")),
    );
  }

  // ---------------------------------------------------------------- tables
  const LOWER = new Set(["safety_avg", "harm_avg3", ...data.benchmarks.filter((b) => b.kind !== "reasoning").map((b) => b.id)]);
  const TITLES = {
    table1: "Table 1: Qwen3", table2: "Table 2: R1-Distill", table3: "Table 3: filtered out", table6: "Table 6: Qwen3, with another guard",
    table4: "Table 4: training settings", table5: "Table 5: steering prompts", table7: "Table 7: R1-Distill, with another guard",
    effects: "Effects", cost: "Cost",
  };
  const title = (name) => TITLES[name] || name.replace(/^figure(\d+)$/, "Numbers of Figure $1").replace(/^table-/, "Table: ").replaceAll("_", " ");
  const metrics = [
    ...data.benchmarks.filter((b) => b.kind !== "reasoning").map((b) => [b.id, b.label]),
    ["safety_avg", "Safety average"],
    ...data.benchmarks.filter((b) => b.kind === "reasoning").map((b) => [b.id, b.label]),
    ["reasoning_avg", "Reasoning average"],
  ];

  const madeOf = (file) => h("p", { class: "status" }, h("a", { href: file }, file.replace(/^(\.\.\/)+/, "")), ", ",
    h("a", { href: file.replace(/\.(csv|json)$/, ".identity.json") }, "what it was made of"));

  function drawTable() {
    const table = data.tables.find((entry) => entry.name === place("table-choice").value);
    if (!table) return place("table-place").replaceChildren("This run has no tables.");
    const cross = metrics.some(([id]) => table.rows.some((row) => row.metric === id)) && /^table/.test(table.name);
    place("table-paper").disabled = !data.beside[table.name];
    place("table-paper").parentNode.title = data.beside[table.name] ? "" : "The paper has no numbers for this table.";
    place("table-place").replaceChildren(
      madeOf(table.file),
      cross ? crossed(table) : listed(table),
      ...(place("table-paper").checked ? notesOn(data.beside[table.name] || []) : []),
    );
  }

  function crossed(table) {
    const rows = new Map();
    for (const row of table.rows) {
      const key = `${row.student}/${row.method}`;
      if (!rows.has(key)) rows.set(key, { student: row.student, method: row.method });
      rows.get(key)[row.metric] = row;
    }
    const columns = metrics.filter(([id]) => table.rows.some((row) => row.metric === id));
    const beside = place("table-paper").checked && data.beside[table.name];
    const paper = new Map((beside || []).map((row) => [`${row.student}/${row.method}/${row.metric}`, row]));
    const rank = (student, metric, value) => {
      const level = [...rows.values()].filter((r) => r.student === student && r[metric] && r[metric].value !== null);
      const values = [...new Set(level.map((r) => number(r[metric].value)))].map(Number);
      values.sort((a, b) => (LOWER.has(metric) ? a - b : b - a));
      return level.length > 1 ? values.indexOf(Number(number(value))) : -1;
    };
    let before = null;
    const body = [...rows.values()].map((entry) => {
      const first = entry.student !== before;
      before = entry.student;
      return h("tr", { class: first ? "first" : null },
        h("td", { class: "text" }, first ? label[entry.student] || entry.student : ""),
        h("td", { class: "text" }, label[entry.method] || entry.method,
          data.released.some(([who, what]) => who === entry.student && what === entry.method)
            ? h("abbr", { title: "Trained on a set that others have released, not on responses sampled by this run." }, " ‡") : null),
        columns.map(([metric]) => valued(entry, metric, rank, paper.get(`${entry.student}/${entry.method}/${metric}`), table)));
    });
    return h("table", {},
      h("thead", {}, h("tr", {}, h("th", { class: "text", scope: "col" }, "Student"), h("th", { class: "text", scope: "col" }, "Method"),
        columns.map(([id, text]) => h("th", { scope: "col" }, `${text} ${LOWER.has(id) ? "↓" : "↑"}`)))),
      h("tbody", {}, body));
  }

  function doubtful(row) { // as the dagger of Table 1: malformed responses, or unreadable verdicts
    return (typeof row.well_formed === "number" && row.well_formed < data.sound) || 100 * (row.unknown || 0) > (100 - data.sound) * row.n;
  }

  function valued(entry, metric, rank, paper, table) {
    const row = entry[metric];
    if (!row || row.value === null) return h("td", {}, "–");
    const order = rank(entry.student, metric, row.value);
    const hint = `${between(row)}${row.n ? `, n = ${row.n}` : ""}${spread(row)}`;
    const text = h(order === 0 ? "b" : order === 1 ? "u" : "span", {}, number(row.value));
    return h("td", {},
      traced(entry.student, entry.method, metric, table, text, hint),
      doubtful(row) ? h("abbr", { title: `Less than ${data.sound} % of these responses are well-formed, or of their verdicts known: the number means little.` }, "†") : null,
      place("table-intervals").checked ? h("span", { class: "interval" }, between(row)) : null,
      paper ? h("span", { class: "paper", title: comparison(paper) }, `paper ${number(paper.paper)}${paper.footnote ? "*" : ""}, ${paper.verdict}`) : null);
  }

  // A number with links to its file and to that file's identity.
  function traced(student, method, metric, table, text, hint) {
    const name = metric.split(":")[0]; // the score's file also has another guard's fraction
    const cells = cellsOf.get(`${student}/${method}/${name}`) || [{ files: { score: table.file, identity: table.file.replace(/\.csv$/, ".identity.json") } }];
    return [
      h("a", { href: cells[0].files.score, title: hint }, text),
      cells.length === 1
        ? h("a", { href: lineageOf(student, method, name) || cells[0].files.identity, class: "id", title: "what this was made of" }, "id")
        : cells.map(({ replicate, files }) => [ // a mean over seeds: each with its own score and identity
          h("a", { href: files.score, class: "id", title: `score of seed ${replicate}` }, `s${replicate}`),
          h("a", { href: files.identity, class: "id", title: `identity of the score of seed ${replicate}` }, "id")]),
    ];
  }

  // A cell compared with the paper's: the difference with its interval, the prompts needed to decide, inconsistencies.
  function comparison(paper) {
    const more = paper.needed ? ` It would take ${paper.needed} prompts to tell.` : "";
    return `${number(paper.difference)} points (${between(paper)}).${more}${paper.footnote ? ` * ${paper.footnote}` : ""}`;
  }

  function notesOn(beside) { // inconsistencies in the paper's own numbers
    const notes = beside.filter((row) => row.footnote).map((row) =>
      h("li", {}, `${label[row.student] || row.student}, ${label[row.method] || row.method}, ${row.metric}: ${row.footnote}`));
    return notes.length ? [h("p", { class: "status" }, "* In the paper:"), h("ul", { class: "status" }, notes)] : [];
  }

  function listed(table) {
    const beside = place("table-paper").checked && data.beside[table.name];
    const paper = new Map((beside || []).map((row) => [`${row.student}/${row.method}/${row.metric}`, row]));
    const rows = table.rows.map((row) => {
      const found = beside && paper.get(`${row.student}/${row.method}/${row.metric}`);
      const { paper: theirs = null, difference = null, verdict = null } = found || {};
      return beside ? { ...row, paper: theirs, difference, verdict } : row;
    });
    const names = Object.keys(rows[0] || {}).filter((name) => rows.some((row) => row[name] !== null));
    const order = ["student", "method", "metric", "value", "low", "high", "n", "paper", "difference", "verdict", // then those of Tables 4 and 5
      "steering", "methods", "template", "agreement", "replicate", "epochs", "steps", "source", "responses", "rows", "too_long", "trained"];
    const at = (name) => (order.indexOf(name) + 1 || order.length + 1);
    names.sort((a, b) => at(a) - at(b));
    const textual = new Set(names.filter((name) => rows.some((row) => typeof row[name] === "string")));
    const kind = (name) => (textual.has(name) ? "text" : null);
    return h("table", {},
      h("thead", {}, h("tr", {}, names.map((name) => h("th", { scope: "col", class: kind(name) }, name.replaceAll("_", " "))))),
      h("tbody", {}, rows.map((row) => h("tr", {}, names.map((name) => {
        const value = row[name];
        const long = typeof value === "string" && value.length > 60;
        if (name === "value" && value !== null) return h("td", {}, traced(row.student, row.method, row.against ? "" : row.metric, table, number(value), between(row))) // a difference belongs to its table;
        return h("td", { class: long ? "words" : kind(name) },
          value === null ? "" : typeof value === "number" && !Number.isInteger(value) ? number(value) : label[value] || String(value));
      })))));
  }

  // ---------------------------------------------------------------- lineage
  const AVERAGED = {
    safety_avg: (kind) => kind !== "reasoning", harm_avg3: (kind) => kind === "harm", reasoning_avg: (kind) => kind === "reasoning",
  };
  function behind(student, method, metric) { // the first steps of a number's lineage
    const names = AVERAGED[metric] ? data.benchmarks.filter((b) => AVERAGED[metric](b.kind)).map((b) => b.id) : [metric];
    return data.cells.flatMap(([s1, m1, , benchmark], index) =>
      s1 === student && m1 === method && names.includes(benchmark) ? [data.lineage.roots[index]] : []).filter((step) => step !== null && step !== undefined);
  }
  const lineageOf = (...cell) => (behind(...cell).length ? "#lineage=" + cell.map(encodeURIComponent).join("/") : null);

  function step(number) {
    const [name, digest, maker, inputs] = data.lineage.steps[number];
    const inRun = maker !== null;
    const title = [inRun ? h("a", { href: `../${name}` }, name) : name, " ", h("span", { class: "id" }, digest)];
    if (!inRun) return h("li", {}, title);
    const [modules, versions] = data.lineage.makers[maker];
    const fold = h("details", {}, h("summary", {}, title));
    fold.addEventListener("toggle", () => { // its content is made when it is opened
      if (fold.childElementCount > 1) return;
      fold.append(h("p", { class: "facts" }, `Code: ${modules}. `, versions ? `With ${versions}. ` : ""), h("ul", { class: "steps" }, inputs.map(step)));
    });
    return h("li", {}, fold);
  }

  function drawLineage() {
    const match = /^#lineage=(.+)$/.exec(location.hash);
    const cell = match ? match[1].split("/").map((part) => { try { return decodeURIComponent(part); } catch { return part; } }) : [];
    const roots = cell.length === 3 ? behind(...cell) : [];
    place("lineage-place").replaceChildren(
      roots.length
        ? h("div", {}, h("h3", {}, cell.map((id) => label[id] || id).join(", ")), h("ul", { class: "steps" }, roots.map(step)),
            h("p", { class: "facts" }, "With rows, settings and checks: ", h("code", {}, `thinksafe trace ${cell.join("/")} --run ${data.run}`)))
        : h("p", { class: "status" }, data.lineage.steps.length ? "No cell is chosen." : "This page has no lineage."));
    if (!roots.length) return;
    place("lineage-place").querySelector("details").open = true;
    place("lineage").scrollIntoView();
  }

  // ---------------------------------------------------------------- claims
  function drawClaims() {
    if (!data.claims) {
      place("claims-place").replaceChildren(h("p", { class: "status" }, "This run has no summary of the claims."));
      return;
    }
    const tone = { holds: "good", fails: "bad" };
    const counts = Object.entries(data.claims.counts).map(([name, count]) => `${count} ${name}`).join(", ");
    const over = (claim) => Object.values(claim.over).map(({ students, of }) =>
      students.length === of ? `all ${of}` : `${students.length} of ${of}: ${students.map((id) => label[id] || id).join(", ")}`).join("; ");
    const short = (value) => (Math.abs(value) >= 0.1 || value === 0 ? number(value) : value.toPrecision(2)); // hours are small
    const cells = (claim) => [
      claim.verdict === "not run" ? "" : over(claim),
      claim.margin === null ? "" : short(claim.margin) + (claim.low === null || claim.high === null ? "" : ` (${short(claim.low)} to ${short(claim.high)})`),
      claim.share === null ? "" : `${Math.round(100 * claim.share)} %`,
      claim.n === null ? "" : claim.n,
    ];
    place("claims-place").replaceChildren(
      madeOf(data.claims.file),
      h("p", { class: "status" }, counts, data.claims.changed_since_start ? ". The claims have changed since this run began." : ""),
      h("p", { class: "lead" }, "Margin: by how much a claim holds at its tightest point; negative if it does not. True in: the fraction of resamplings of the prompts in which it holds. n: the fewest prompts behind one of its numbers. Students: those for which this run can test a claim about all."),
      h("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "Claims, scrolls sideways" },
        h("table", {},
          h("thead", {}, h("tr", {},
            ["Claim", "Verdict", "What it says", "Students"].map((name) => h("th", { class: "text", scope: "col" }, name)),
            ["Margin", "True in", "n"].map((name) => h("th", { scope: "col" }, name)))),
          h("tbody", {}, data.claims.claims.map((claim) => {
            const [students, ...numbers] = cells(claim);
            return h("tr", { id: `claim-${claim.id}` },
              h("td", { class: "text" }, claim.id),
              h("td", { class: "text" }, h("span", { class: `chip ${tone[claim.verdict] || "unsure"}` }, claim.verdict)),
              h("td", { class: "words" }, claim.text + (claim.reading === "ours" ? " (our reading)" : ""),
                claim.missing.length ? h("span", { class: "interval" }, `missing: ${claim.missing.slice(0, 3).join("; ")}${claim.missing.length > 3 ? "; …" : ""}`) : null),
              h("td", { class: "words" }, students),
              numbers.map((text) => h("td", {}, text)));
          })))));
  }

  // ---------------------------------------------------------------- cost
  const STAGES = [["generation", "#56B4E9"], ["filtering", "#009E73"], ["training", "#D55E00"]];
  const spent = (hours) => {
    const seconds = hours * 3600;
    return seconds < 120 ? `${seconds.toFixed(1)} s` : hours < 2 ? `${(seconds / 60).toFixed(1)} min` : `${hours.toFixed(1)} h`;
  };
  function drawCost() {
    const table = data.tables.find((entry) => entry.name === "cost");
    if (!table) return place("cost-place").replaceChildren(h("p", { class: "status" }, "This run has no table of costs."));
    const rows = new Map();
    for (const row of table.rows) {
      const key = `${row.student}/${row.method}`;
      if (!rows.has(key)) rows.set(key, { student: row.student, method: row.method });
      rows.get(key)[row.metric] = row;
    }
    const most = Math.max(...[...rows.values()].map((row) => (row.device_hours && row.device_hours.value) || 0)) || 1;
    const bar = (row) => {
      let from = 0;
      return s("svg", { width: 220, height: 14, viewBox: "0 0 220 14", "aria-hidden": "true" }, STAGES.map(([stage, colour]) => {
        const width = ((row[`${stage}:device_hours`] || {}).value || 0) / most * 220;
        const part = s("rect", { x: from, y: 1, width, height: 12, fill: colour });
        from += width;
        return part;
      }));
    };
    const time = (row) => (row ? (row.value === null ? "unknown" : spent(row.value)) : "");
    // How well jobs used their devices, if records have it.
    const use = [
      ["generation:tokens_per_second", "tokens/s", "Tokens per second of a sampling job", (value) => value.toFixed(0)],
      ["gpu_utilisation", "GPU busy", "Mean utilisation of the GPUs that jobs held", (value) => `${value.toFixed(0)} %`],
      ["gpu_memory_mb", "GPU memory", "Most that one job took", (value) => `${(value / 1024).toFixed(1)} GiB`],
      ["peak_memory_mb", "memory", "Most that one job took", (value) => `${(value / 1024).toFixed(1)} GiB`],
    ].filter(([metric]) => table.rows.some((row) => row.metric === metric));
    place("cost-place").replaceChildren(
      h("p", { class: "status" }, h("a", { href: table.file }, table.file.replace(/^(\.\.\/)+/, ""))),
      h("table", {},
        h("thead", {}, h("tr", {}, ["Student", "Method"].map((name) => h("th", { class: "text", scope: "col" }, name)),
          STAGES.map(([name, colour]) => h("th", { scope: "col" }, s("svg", { width: 10, height: 10, "aria-hidden": "true", class: "key" }, s("rect", { width: 10, height: 10, fill: colour })), ` ${name}`)),
          h("th", { scope: "col" }, "all, device"), h("th", { scope: "col" }, "all, wall"), h("th", { class: "text", scope: "col" }, ""),
          use.map(([, name, title]) => h("th", { scope: "col", title }, name)))),
        h("tbody", {}, [...rows.values()].map((row) => h("tr", {},
          h("td", { class: "text" }, label[row.student] || row.student), h("td", { class: "text" }, label[row.method] || row.method),
          STAGES.map(([stage]) => h("td", {}, time(row[`${stage}:device_hours`]))),
          h("td", {}, time(row.device_hours)), h("td", {}, time(row.train_hours)), h("td", { class: "text" }, bar(row)),
          use.map(([metric, , , said]) => h("td", {}, row[metric] ? said(row[metric].value) : "")))))));
  }

  // ---------------------------------------------------------------- training curves
  function drawCurves() {
    const student = place("curve-student").value;
    const groups = new Map();
    for (const [who, method, replicate, file, line] of data.curves) {
      if (who !== student) continue;
      if (!groups.has(method)) groups.set(method, []);
      groups.get(method).push({ replicate, file, line });
    }
    const [width, height, left, bottom] = [260, 150, 44, 24];
    const drawn = [...groups].map(([method, runs]) => {
      const all = runs.flatMap((run) => run.line);
      const x = scale([0, ...all.map(([step]) => step)], left, width - 6);
      let [low, high] = [Math.min(...all.map((p) => p[1])), Math.max(...all.map((p) => p[1]))];
      if (low === high) high = low + 1;
      const y = (value) => height - bottom - ((value - low) / (high - low)) * (height - bottom - 12);
      const what = method === "grpo" ? "reward" : "loss";
      const last = runs[0].line[runs[0].line.length - 1];
      return h("figure", { class: "curve" },
        s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${what} of ${label[method]} from ${number(runs[0].line[0][1], 3)} to ${number(last[1], 3)} in ${last[0]} steps` },
          [low, high].map((value) => [s("line", { class: "grid", x1: left, x2: width - 6, y1: y(value), y2: y(value) }),
            s("text", { class: "soft", x: left - 5, y: y(value) + 4, "text-anchor": "end" }, number(value, Math.abs(high) < 1 ? 3 : 2))]),
          s("text", { class: "soft", x: width - 6, y: height - 6, "text-anchor": "end" }, `${last[0]} steps`),
          runs.map((run) => s("polyline", { fill: "none", stroke: hue[method] || "#7f7f7f", "stroke-width": 1.6, points: run.line.map(([step, value]) => `${x.at(step).toFixed(1)},${y(value).toFixed(1)}`).join(" ") }))),
        h("figcaption", {}, label[method] || method, `, ${what} `, runs.map((run) => [h("a", { href: run.file }, runs.length > 1 ? `log ${run.replicate}` : "log"), " "])));
    });
    place("curve-place").replaceChildren(drawn.length ? h("div", { class: "curves" }, drawn) : h("p", { class: "status" }, "This run has no training logs."));
  }

  // ---------------------------------------------------------------- reader of samples
  const answers = new Map(); // student/method/benchmark/replicate -> prompt -> answer
  for (const [index, prompt, verdict, p, harmful, reasoning, answer, finish, tokens, output] of data.answers) {
    const [student, method, replicate, benchmark] = data.cells[index];
    const key = `${student}/${method}/${benchmark}/${replicate}`;
    if (!answers.has(key)) answers.set(key, new Map());
    answers.get(key).set(prompt, { prompt, verdict, p, harmful, reasoning, answer, finish, tokens, output });
  }
  const choice = { student: null, method: null, benchmark: null, replicate: null, verdict: "", prompt: null };
  const pick = (name) => place(`sample-${name}`);
  const TONE = { unsafe: "bad", refused: "bad", wrong: "bad", safe: "good", correct: "good", answered: "good", unknown: "unsure" };
  const kindOf = Object.fromEntries(data.benchmarks.map((entry) => [entry.id, entry.kind]));
  const keyOf = (method) => `${choice.student}/${method}/${choice.benchmark}/${choice.replicate}`;
  const cellOf = (method) => cellsOf.get(`${choice.student}/${method}/${choice.benchmark}`).find((cell) => String(cell.replicate) === choice.replicate);
  const matching = () => [...(answers.get(keyOf(choice.method)) || new Map()).values()].filter((a) => !choice.verdict || a.verdict === choice.verdict);

  function offer() { // the choices that remain, given those already made
    const keys = [...answers.keys()].map((key) => key.split("/"));
    const settle = (name, ids, preferred) => {
      options(pick(name), ids.map(([id, text]) => [id, text]));
      if (!ids.some(([id]) => id === choice[name])) choice[name] = ids.some(([id]) => id === preferred) ? preferred : ids.length ? ids[0][0] : null;
      pick(name).value = choice[name];
    };
    settle("student", data.students.filter(([id]) => keys.some((key) => key[0] === id)));
    settle("method", data.methods.filter(([id]) => keys.some((key) => key[0] === choice.student && key[1] === id)), "thinksafe");
    settle("benchmark", data.benchmarks.filter((b) => keys.some((key) => key[0] === choice.student && key[1] === choice.method && key[2] === b.id)).map((b) => [b.id, b.label]));
    const seeds = keys.filter((key) => key[0] === choice.student && key[1] === choice.method && key[2] === choice.benchmark).map((key) => key[3]);
    settle("replicate", seeds.map((seed) => [seed, seed]));
    pick("replicate").parentNode.hidden = seeds.length < 2;
    const verdicts = new Set([...(answers.get(keyOf(choice.method)) || new Map()).values()].map((a) => a.verdict));
    if (!verdicts.has(choice.verdict)) choice.verdict = "";
    options(pick("verdict"), [["", "any"], ...[...verdicts].sort().map((name) => [name, name])]);
    pick("verdict").value = choice.verdict;
  }

  function folded(text, harmful, cls) {
    if (text === null || text === undefined) return h("p", { class: "status" }, harmful && data.public ? "Left out of the public build." : "None.");
    const said = h("p", { class: `text-of ${cls || ""}`, dir: "auto" });
    said.textContent = text;
    if (!harmful) return said;
    const fold = h("details", { "data-harmful": "" }, h("summary", {}, "May be harmful. Unfold to read."), said);
    fold.open = place("sample-reveal").checked;
    return fold;
  }

  function shown(method, answer, cell) {
    const kind = kindOf[choice.benchmark];
    const p = answer.p === null ? "" : `P(${kind === "refusal" ? "refusal" : "unsafe"}) = ${number(answer.p, 4)}`;
    const files = { score: "score", identity: "its identity", answers: "answers", verdicts: "verdicts" };
    return h("article", { class: "said", "aria-label": label[method] },
      h("h3", {}, label[method] || method, " ", h("span", { class: `chip ${TONE[answer.verdict] || "unsure"}` }, answer.verdict), " ", h("small", {}, p)),
      h("h4", {}, "Reasoning"), folded(answer.reasoning, answer.harmful, "reasoning"),
      h("h4", {}, "Answer"), folded(answer.answer, answer.harmful),
      h("p", { class: "facts" }, `${answer.tokens} tokens, ended by ${answer.finish}`, answer.output ? ["; the guard: ", h("bdi", {}, answer.output.replace(/\s+/g, " "))] : "", ". Files: ",
        Object.entries(files).filter(([name]) => cell.files[name]).map(([name, text]) => [h("a", { href: cell.files[name] }, text), " "])));
  }

  const fragment = () => "#sample=" + [choice.student, choice.method, choice.benchmark, choice.prompt, choice.replicate].map(encodeURIComponent).join("/");

  function drawSample() {
    offer();
    const list = matching();
    let position = list.findIndex((answer) => answer.prompt === choice.prompt);
    if (position < 0) position = 0;
    const answer = list[position];
    choice.prompt = answer ? answer.prompt : null;
    pick("count").textContent = answer ? `${position + 1} of ${list.length}` : "none";
    pick("back").disabled = !answer || position === 0;
    pick("next").disabled = !answer || position === list.length - 1;
    pick("reveal-label").hidden = data.public;
    pick("link").hidden = !answer;
    if (!answer) {
      pick("place").replaceChildren(h("p", { class: "status" }, answers.size ? "No sample with this verdict." : "This page has no samples."));
      return;
    }
    pick("link").setAttribute("href", fragment());
    const prompt = (data.prompts[choice.benchmark] || {})[choice.prompt];
    const initial = choice.method === "initial" ? null : (answers.get(keyOf("initial")) || new Map()).get(choice.prompt);
    pick("place").replaceChildren(
      h("h3", {}, "Prompt ", h("small", { class: "status" }, choice.prompt)),
      folded(prompt, kindOf[choice.benchmark] === "harm"),
      h("div", { class: "pair" },
        initial ? shown("initial", initial, cellOf("initial")) : null,
        shown(choice.method, answer, cellOf(choice.method))));
  }

  function move(by) {
    const list = matching();
    const next = list[list.findIndex((answer) => answer.prompt === choice.prompt) + by];
    if (next) { choice.prompt = next.prompt; drawSample(); }
  }
  function goTo(student, method) {
    Object.assign(choice, { student, method, verdict: "" });
    drawSample();
    place("samples").scrollIntoView();
    pick("student").focus({ preventScroll: true });
  }
  function follow() { // a link to one sample
    const match = /^#sample=(.+)$/.exec(location.hash);
    if (!match) return;
    const [student, method, benchmark, prompt, replicate] = match[1].split("/").map((part) => { try { return decodeURIComponent(part); } catch { return part; } });
    Object.assign(choice, { student, method, benchmark, prompt, replicate, verdict: "" });
    drawSample();
    place("samples").scrollIntoView();
  }

  // ---------------------------------------------------------------- all together
  drawFilters();
  drawTradeoff();
  let wide = place("tradeoff-figure").clientWidth;
  window.addEventListener("resize", () => {
    if (place("tradeoff-figure").clientWidth !== wide) { wide = place("tradeoff-figure").clientWidth; drawTradeoff(); }
  });
  const weight = ({ name }) => (/^table/.test(name) ? 0 : /^figure/.test(name) ? 100 : 200) + (Number(name.replace(/\D/g, "")) || 50);
  data.tables.sort((a, b) => weight(a) - weight(b));
  options(place("table-choice"), data.tables.filter((table) => table.name !== "cost").map((table) => [table.name, title(table.name)]));
  for (const id of ["table-choice", "table-paper", "table-intervals"]) place(id).addEventListener("change", drawTable);
  drawTable();
  drawClaims();
  drawCost();
  options(place("curve-student"), data.students.filter(([id]) => data.curves.some((entry) => entry[0] === id)));
  place("curve-student").closest(".controls").hidden = !data.curves.length;
  place("curve-student").addEventListener("change", drawCurves);
  drawCurves();
  for (const name of ["student", "method", "benchmark", "replicate", "verdict"]) {
    pick(name).addEventListener("change", () => { choice[name] = pick(name).value; drawSample(); });
  }
  pick("back").addEventListener("click", () => move(-1));
  pick("next").addEventListener("click", () => move(1));
  pick("reveal").addEventListener("change", drawSample);
  place("samples").addEventListener("keydown", (event) => {
    if (/^(SELECT|INPUT)$/.test(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowRight") move(1);
    if (event.key === "ArrowLeft") move(-1);
  });
  drawSample();
  for (const look of [drawLineage, follow]) {
    window.addEventListener("hashchange", look);
    look();
  }
  document.documentElement.dataset.ready = "yes";
})();
