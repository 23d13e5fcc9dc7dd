/* The table of the runs. A heading sorts, a row opens the run's panel. */

const table = { rows: [], opened: new Map(), column: -1, falling: false };

/** The columns: a heading, what a row shows, and what it is sorted by. */
function columns() {
  const figures = page.figures.filter((figure) => figure.column);
  return [
    ...page.keys.map((key) => ({ title: key.title, text: (run) => key.values[valueOf(run, key)], order: (run) => valueOf(run, key) })),
    ...(page.mark ? [{ title: page.mark, text: (run) => (page.runs[run].marked ? "★" : ""), order: (run) => (page.runs[run].marked ? 0 : 1) }] : []),
    ...figures.map((figure, i) => ({ title: figure.title, text: (run) => page.runs[run].cells[i], order: (run) => page.runs[run].numbers[i] })),
    { title: "seconds", text: (run) => readable(page.runs[run].seconds, 1), order: (run) => page.runs[run].seconds },
    { title: "collapse", word: true, text: (run) => page.runs[run].collapse, order: (run) => COLLAPSE.own[run] },
    { title: "cause or reason", word: true, text: (run) => page.runs[run].cause || page.runs[run].reason, order: (run) => page.runs[run].cause || page.runs[run].reason },
  ];
}

/** Build heading and rows. */
function buildTable() {
  const all = columns();
  const heads = all.map((column, place) => {
    const button = element("button", { type: "button", onclick: () => sortBy(place) }, column.title);
    return element("th", { scope: "col", className: column.word ? "word" : "" }, button);
  });
  table.rows = page.runs.map((_, run) => tableRow(run, all));
  const head = element("thead", {}, element("tr", {}, element("th", { ariaLabel: "open" }), ...heads));
  part("runs", "table").replaceChildren(head, element("tbody", {}, ...table.rows));
}

/** The row of a run. */
function tableRow(run, all) {
  const mark = element("i", { className: "mark" });
  const opener = element("button", { type: "button", className: "opener", ariaExpanded: "false", ariaLabel: `Open ${page.runs[run].label}` }, mark);
  const cells = all.map((column) => {
    const text = column.text(run);
    return element("td", { className: column.word ? "word" : "", title: column.word ? text : "" }, text);
  });
  return element("tr", { className: "run", onclick: () => togglePanel(run) }, element("td", {}, opener), ...cells);
}

/** Sort by a column; a second click turns the order. */
function sortBy(place) {
  const { order } = columns()[place];
  table.falling = table.column === place && !table.falling;
  table.column = place;
  const runs = page.runs.map((_, run) => run).sort((a, b) => compared(order(a), order(b), table.falling) || a - b);
  const body = part("runs", "tbody");
  body.append(...runs.flatMap((run) => [table.rows[run], ...(table.opened.has(run) ? [table.opened.get(run)] : [])]));
  part("runs", "thead tr").querySelectorAll("th").forEach((head, i) => {
    head.setAttribute("aria-sort", i - 1 !== place ? "none" : table.falling ? "descending" : "ascending");
  });
}

/** The order of two values; what is missing comes last either way. */
function compared(a, b, falling) {
  const missing = (value) => value === null || value === "";
  if (missing(a) || missing(b)) return missing(a) - missing(b);
  const order = typeof a === "string" ? a.localeCompare(b) : a - b;
  return falling ? -order : order;
}

/** Open or close the panel of a run. */
function togglePanel(run) {
  const opened = table.opened.get(run);
  const opener = table.rows[run].querySelector(".opener");
  opener.setAttribute("aria-expanded", String(!opened));
  if (opened) {
    opened.remove();
    table.opened.delete(run);
    return;
  }
  const cell = element("td", { className: "detail", colSpan: columns().length + 1 }, details(run));
  const row = element("tr", {}, cell);
  table.opened.set(run, row);
  table.rows[run].after(row);
}

/** Open the panel of a run and go there. */
function openRun(run) {
  if (!table.opened.has(run)) togglePanel(run);
  table.rows[run].scrollIntoView({ block: "center", behavior: "smooth" });
  table.rows[run].querySelector(".opener").focus({ preventScroll: true });
}

/** Show the rows of the runs that are shown, in their colours. */
function drawTable(runs) {
  const shown = new Set(runs);
  table.rows.forEach((row, run) => {
    row.hidden = !shown.has(run);
    const { colour, shape } = runLook(run);
    const mark = row.querySelector(".mark");
    mark.style.background = colour;
    mark.style.borderRadius = shape === 1 ? "0" : "50%";
    if (table.opened.has(run)) table.opened.get(run).hidden = row.hidden;
  });
}
