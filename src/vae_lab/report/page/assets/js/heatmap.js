/* A figure over two swept settings, as a coloured table. */

const heatPanel = { figure: 0, across: null, down: null };

/** Build what chooses the figure and the two settings; hide the panel where nothing was swept. */
function buildHeatmap() {
  const keys = page.keys.filter((key) => key.values.length > 1);
  document.getElementById("heatmap").hidden = !keys.length || !page.figures.length;
  if (!keys.length) return;
  const apart = keys.filter((key) => key.key !== SEED);
  [heatPanel.across, heatPanel.down] = apart.length > 1 ? apart : [null, apart[0] ?? keys[0]];
  heatPanel.figure = Math.max(page.figures.findIndex((figure) => figure.name === "rate"), 0);
  const options = [...keys.map((key, i) => [i, key.title]), [-1, "none"]];
  const redraw = () => drawHeatmap(shownRuns());
  const choose = (label, name) => chooser(label, options, keys.indexOf(heatPanel[name]), (value) => {
    heatPanel[name] = keys[value] ?? null;
    redraw();
  });
  const figure = chooser("Figure", page.figures.map(({ title }, i) => [i, title]), heatPanel.figure, (value) => {
    heatPanel.figure = Number(value);
    redraw();
  });
  part("heatmap", ".controls").replaceChildren(figure, choose("Columns", "across"), choose("Rows", "down"));
}

/** Draw the medians over the runs that are shown. */
function drawHeatmap(runs) {
  const { across, down } = heatPanel;
  const figure = page.figures[heatPanel.figure];
  if (!figure) return;
  const cells = medians(runs, figure.name, across, down);
  const middles = [...cells.values()].map((cell) => cell.middle);
  const [low, high] = [Math.min(...middles), Math.max(...middles)];
  const position = (value) => (high > low ? (value - low) / (high - low) : 0.5);
  const rows = (down?.values ?? [""]).map((value, row) => {
    const drawn = (across?.values ?? [""]).map((_, column) => heatCell(cells.get(`${row} ${column}`), figure, position));
    return element("tr", {}, element("th", { scope: "row" }, value), ...drawn);
  });
  const table = element("table", {}, heatHead(across, down), element("tbody", {}, ...rows));
  part("heatmap", ".scroll").replaceChildren(table);
  part("heatmap", ".hint").textContent = heatHint(figure, [...cells.values()].map((cell) => cell.count));
}

/** The headings: what the columns and rows are, and the values of the columns. */
function heatHead(across, down) {
  const corner = element("th", { className: "axis" }, down?.title ?? "");
  if (!across) return element("thead", {}, element("tr", {}, corner, element("th")));
  const title = element("tr", {}, element("th"), element("th", { className: "axis", colSpan: across.values.length }, across.title));
  const values = across.values.map((value) => element("th", { scope: "col" }, value));
  return element("thead", {}, title, element("tr", {}, corner, ...values));
}

/** {middle, count} of a figure for each pair of values, by "row column". */
function medians(runs, name, across, down) {
  const having = runs.filter((run) => figureOf(run, name) !== null);
  const place = (run) => `${down ? valueOf(run, down) : 0} ${across ? valueOf(run, across) : 0}`;
  const cell = (group) => ({ middle: median(group.map((run) => figureOf(run, name))), count: group.length });
  return new Map([...Map.groupBy(having, place)].map(([name, group]) => [name, cell(group)]));
}

/** A cell: its median, on its colour. */
function heatCell(cell, figure, position) {
  if (!cell) return element("td", { title: "no run" });
  const made = element("td", { title: `median over ${cell.count} run${cell.count === 1 ? "" : "s"}` }, readable(cell.middle, Math.min(figure.digits, 3)));
  made.style.background = viridis(position(cell.middle));
  made.style.color = inkOn(position(cell.middle));
  return made;
}

/** Over how many runs the medians go. */
function heatHint(figure, counts) {
  if (!counts.length) return "No run that is shown has this figure.";
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  const over = least === most ? `${most}` : `${least} to ${most}`;
  const unit = figure.unit ? ` (${figure.unit})` : "";
  return `${figure.title}${unit}: ${most === 1 ? "one run in each cell" : `a cell is the median over ${over} runs`}. Grey cells have no run.`;
}
