/* The curves of the runs over each other. */

const CURVES_HEIGHT = 400;
const MANY = 60; // lines that are drawn a pixel wide: a browser draws those several times faster
const spreadsKept = new Map();
const curvesPanel = { name: 0, log: false, chart: null };

/** Build what chooses among the curves; models that were trained elsewhere have none. */
function buildCurves() {
  const names = page.curves.names;
  if (!names.length) {
    document.getElementById("curves").hidden = page.runs.every((entry) => entry.status === "finished");
    return;
  }
  const options = names.map((one, i) => [i, one.title, one.group]);
  const redraw = () => drawCurves(shownRuns());
  const which = chooser("Figure", options, curvesPanel.name, (value) => {
    curvesPanel.name = Number(value);
    redraw();
  });
  const log = toggle("Logarithmic", curvesPanel.log, (on) => {
    curvesPanel.log = on;
    redraw();
  });
  part("curves", ".controls").replaceChildren(which, log);
}

/** Draw the chosen curve of the runs that are shown. */
function drawCurves(runs) {
  const host = part("curves", ".chart");
  curvesPanel.chart?.destroy();
  curvesPanel.chart = null;
  if (state.curves === null) return;
  const having = runs.filter((run) => state.curves[run][curvesPanel.name]);
  if (!having.length) return host.replaceChildren(element("p", { className: "nothing" }, nothingToDraw(runs)));
  const name = page.curves.names[curvesPanel.name];
  const series = state.bands ? settings(having).flatMap((group) => bandOf(group, name)) : having.map((run) => lineOf(run, name));
  if (series.length > MANY) for (const one of series) one.width = 1;
  const log = curvesPanel.log && series.some((one) => one.y.some((value) => value > 0));
  curvesPanel.chart = new Chart(host, { series, log, whole: true, height: CURVES_HEIGHT, labels: ["optimizer step", axisTitle(name)] });
  part("curves", ".hint").textContent = curvesHint(runs.length - having.length, curvesPanel.log && !log);
}

/** Why the panel is empty. */
function nothingToDraw(runs) {
  if (!page.curves.names.length) return "No run has logged a curve yet.";
  return runs.length ? "None of the runs shown has this curve." : "All runs are filtered out.";
}

/** The title of an axis. */
function axisTitle({ title, unit }) {
  return unit ? `${title} (${unit})` : title;
}

/** The curve of a run as a series. */
function lineOf(run, name) {
  const curve = state.curves[run][curvesPanel.name];
  const { colour, dash } = runLook(run);
  const said = (i) => [page.runs[run].label, `${name.title} ${readable(curve.y[i])} at step ${curve.x[i]}`, ...runLines(run)];
  if (curve.x.length === 1) return { kind: "points", x: curve.x, y: curve.y, colour, runs: [run], said };
  return { kind: "line", x: curve.x, y: curve.y, colour, dash, run, said };
}

/** The seeds of a setting as a band from the least to the largest, and the line of their median. */
function bandOf(runs, name) {
  if (runs.length === 1) return [lineOf(runs[0], name)];
  const rows = spreadsOf(runs);
  const x = rows.map((row) => row.step);
  const { colour, dash } = runLook(runs[0]);
  const outline = { x: [...x, ...[...x].reverse()], y: [...rows.map((row) => row.high), ...rows.map((row) => row.low).reverse()] };
  const said = (i) => [settingLabel(runs[0]), `${name.title} ${readable(rows[i].middle)} [${readable(rows[i].low)}, ${readable(rows[i].high)}] at step ${x[i]}`, `median and range of ${rows[i].count} seeds`];
  const line = { kind: "line", x, y: rows.map((row) => row.middle), colour, dash, width: 2, run: runs[0], said };
  return [{ kind: "band", ...outline, colour }, line];
}

/** The values of a run without its seed, and without settings that it does not have. */
function settingLabel(run) {
  const values = page.keys.map((key) => [key, key.values[valueOf(run, key)]]);
  const shown = values.filter(([key, value]) => key.key !== SEED && value !== "-");
  return shown.map(([key, value]) => `${key.title}=${value}`).join(", ") || "all seeds";
}

/** The spreads of the chosen curve over runs; they are kept, since most filters leave whole settings. */
function spreadsOf(runs) {
  const name = `${curvesPanel.name}: ${runs}`;
  if (!spreadsKept.has(name)) spreadsKept.set(name, spreads(runs.map((run) => state.curves[run][curvesPanel.name])));
  return spreadsKept.get(name);
}

/** Median, least and largest value at each step at which most of the curves have one. */
function spreads(curves) {
  const rows = [...valuesByStep(curves)].filter(([, values]) => 2 * values.length > curves.length);
  return rows.map(([step, values]) => {
    const ordered = values.sort((a, b) => a - b);
    return { step, middle: median(ordered), low: ordered[0], high: ordered.at(-1), count: ordered.length };
  });
}

/** The values of curves by their step, steps in order. */
function valuesByStep(curves) {
  const alike = curves.every(({ x }) => x === curves[0].x);
  const steps = alike ? curves[0].x : [...new Set(curves.flatMap(({ x }) => [...x]))].sort((a, b) => a - b);
  const found = new Map(Array.from(steps, (step) => [step, []]));
  for (const { x, y } of curves) x.forEach((step, i) => y[i] !== null && found.get(step).push(y[i]));
  return found;
}

/** What a reader must know of the chart. */
function curvesHint(without, notLog) {
  const parts = [state.bands ? "A line is the median of the seeds, a band their range." : "A line is a run."];
  if (without) parts.push(`${without} of the runs shown ${without === 1 ? "has" : "have"} no such curve.`);
  if (notLog) parts.push("No value is above 0, so the axis stays linear.");
  if (page.curves.most) parts.push(`Curves are thinned to ${page.curves.most} points.`);
  return [...parts, "Drag to zoom, double-click to see all, click a line to open its run."].join(" ");
}
