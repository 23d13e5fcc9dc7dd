/* Put together. Words stand in the file already; charts and table follow, and last the curves, once decompressed. */

/** Bring all panels up to date. */
function draw() {
  const runs = shownRuns();
  hideTooltip();
  drawFilters(runs);
  drawCurves(runs);
  drawPlane(runs);
  drawHeatmap(runs);
  drawDimensions(runs);
  drawTable(runs);
}

/** The panels that have a width of their own. */
function resize() {
  curvesPanel.chart?.resize();
  planePanel.chart?.resize();
  drawDimensions(shownRuns());
}

applyTheme();
buildFilters(draw);
buildCurves();
buildHeatmap();
buildDimensions();
buildTable();
draw();
watchTheme(draw);
window.addEventListener("resize", resize);
readCurves(page.curves, document.getElementById("block").textContent).then((curves) => {
  state.curves = curves;
  drawCurves(shownRuns());
  document.documentElement.dataset.ready = "yes";
});
