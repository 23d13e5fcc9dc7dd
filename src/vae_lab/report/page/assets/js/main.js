/* Put together. Words stand in the file already; charts and table follow, and last the curves, once decompressed. */

const LATER = 300; // milliseconds after which the panels out of view are brought up to date

const panels = new Map([
  ["curves", drawCurves],
  ["plane", drawPlane],
  ["heatmap", drawHeatmap],
  ["dimensions", drawDimensions],
  ["runs", drawTable],
]);
const inView = new Set();
const stale = new Set(panels.keys());
let later = null;

/** Bring the panels that can be seen up to date, and the others soon, or once they can. */
function draw() {
  hideTooltip();
  drawFilters(shownRuns());
  for (const name of panels.keys()) stale.add(name);
  drawStale(inView);
  clearTimeout(later);
  later = setTimeout(() => drawStale(panels.keys()), LATER);
}

/** Draw those of these panels that are out of date. */
function drawStale(names) {
  const runs = shownRuns();
  for (const name of names) if (stale.delete(name)) panels.get(name)(runs);
}

/** Note which panels can be seen. */
function watchPanels() {
  const seen = (entries) => {
    for (const { target, isIntersecting } of entries) inView[isIntersecting ? "add" : "delete"](target.id);
    drawStale(inView);
  };
  const observer = new IntersectionObserver(seen);
  for (const name of panels.keys()) observer.observe(document.getElementById(name));
}

/** Draw the panels again whose width changes. */
function watchWidths() {
  const widths = new Map();
  const changed = (entries) => {
    for (const { target, contentRect } of entries) {
      if (widths.get(target.id) !== contentRect.width) stale.add(target.id);
      widths.set(target.id, contentRect.width);
    }
    drawStale(inView);
  };
  const observer = new ResizeObserver(changed);
  for (const name of ["curves", "plane", "dimensions"]) observer.observe(document.getElementById(name));
}

/** Curves can be drawn from now on. */
function receive(curves) {
  state.curves = curves;
  stale.add("curves");
  drawStale(inView);
  performance.mark("ready");
  document.documentElement.dataset.ready = "yes";
}

applyTheme();
buildFilters(draw);
buildCurves();
buildHeatmap();
buildDimensions();
buildTable();
draw();
watchPanels();
watchTheme(draw);
watchWidths();
window.addEventListener("beforeprint", () => drawStale(panels.keys()));
readCurves(page.curves, document.getElementById("block").textContent).then(receive);
