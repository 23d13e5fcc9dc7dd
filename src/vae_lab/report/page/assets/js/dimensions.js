/* The rate of each latent dimension: a row per run, dimensions in the order of falling rate. */

const STRIP = { tallest: 20, lowest: 4, widest: 46, labels: 12, height: 460, head: 34, gap: 8, share: 0.45, font: "12px system-ui, sans-serif" };
const strip = { rows: [], row: 0, column: 0, left: 0, highest: 0 };

/** Follow the pointer over the strip. */
function buildDimensions() {
  const canvas = part("dimensions", "canvas");
  canvas.addEventListener("pointermove", pointStrip);
  canvas.addEventListener("pointerleave", hideTooltip);
  canvas.addEventListener("click", (event) => {
    const found = stripPlace(event);
    if (found) openRun(found.run);
  });
}

/** Draw the runs that are shown, those of one colour together. */
function drawDimensions(runs) {
  const having = runs.filter((run) => page.runs[run].rates.some((rate) => rate !== null));
  document.getElementById("dimensions").hidden = !page.runs.some((run) => run.rates.length);
  strip.rows = [...having].sort((a, b) => valueOf(a, state.colour) - valueOf(b, state.colour) || a - b);
  layOutStrip();
  const context = sizedContext(part("dimensions", "canvas"));
  drawStripHead(context);
  strip.rows.forEach((run, i) => drawStripRow(context, run, STRIP.head + i * strip.row));
  part("dimensions", ".hint").textContent = stripHint();
}

/** Sizes of the strip, in pixels of the page. */
function layOutStrip() {
  const width = part("dimensions", ".scroll").clientWidth;
  const dimensions = Math.max(1, ...strip.rows.map((run) => page.runs[run].rates.length));
  strip.row = Math.min(Math.max(Math.floor((STRIP.height - STRIP.head) / Math.max(strip.rows.length, 1)), STRIP.lowest), STRIP.tallest);
  strip.short = false;
  strip.short = widestLabel() > STRIP.share * width;
  strip.left = strip.row >= STRIP.labels ? Math.min(STRIP.share * width, widestLabel()) : 14;
  strip.column = Math.min(Math.max((width - strip.left - STRIP.gap) / dimensions, 4), STRIP.widest);
  strip.dimensions = dimensions;
  strip.highest = Math.max(1e-6, ...strip.rows.flatMap((run) => page.runs[run].rates.filter((rate) => rate !== null)));
}

/** The room that the longest label takes. */
function widestLabel() {
  const context = part("dimensions", "canvas").getContext("2d");
  context.font = STRIP.font;
  return 14 + Math.max(0, ...strip.rows.map((run) => context.measureText(stripLabel(run)).width));
}

/** What a row is called: the swept values, without their names where those do not fit. */
function stripLabel(run) {
  if (!strip.short || !page.keys.length) return page.runs[run].label;
  return page.keys.map((key) => key.values[valueOf(run, key)]).join(", ");
}

/** The canvas at the size of the strip and the resolution of the screen. */
function sizedContext(canvas) {
  const width = strip.left + STRIP.gap + strip.column * strip.dimensions;
  const height = STRIP.head + strip.row * strip.rows.length;
  canvas.width = width * devicePixelRatio;
  canvas.height = height * devicePixelRatio;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.scale(devicePixelRatio, devicePixelRatio);
  context.font = STRIP.font;
  return context;
}

/** The numbers of the dimensions above their columns. */
function drawStripHead(context) {
  context.fillStyle = themeColour("soft");
  context.textAlign = "left";
  context.fillText("dimensions by falling rate", strip.left + STRIP.gap, 12);
  context.textAlign = "center";
  const every = Math.ceil(22 / strip.column);
  for (let i = 0; i < strip.dimensions; i += every) {
    context.fillText(String(i + 1), strip.left + STRIP.gap + (i + 0.5) * strip.column, 28);
  }
}

/** One run: its colour and label, and a cell for each dimension. */
function drawStripRow(context, run, top) {
  const { rates } = page.runs[run];
  const inner = strip.row > 8 ? strip.row - 2 : strip.row - 0.5;
  context.fillStyle = runLook(run).colour;
  context.fillRect(strip.left, top, 5, inner);
  if (strip.row >= STRIP.labels) {
    context.fillStyle = themeColour("ink");
    context.textAlign = "right";
    context.fillText(fitted(context, stripLabel(run), strip.left - 8), strip.left - 6, top + inner / 2 + 4);
  }
  rates.forEach((rate, i) => {
    context.fillStyle = rate === null ? themeColour("empty") : rateColour(rate);
    context.fillRect(strip.left + STRIP.gap + i * strip.column, top, strip.column - 1, inner);
  });
}

/** The colour of a rate: unused dimensions have that of an empty cell. */
function rateColour(rate) {
  return rate < 0.01 ? themeColour("empty") : viridis(0.08 + 0.92 * Math.sqrt(rate / strip.highest));
}

/** A text cut to a width. */
function fitted(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let kept = text;
  while (kept && context.measureText(`…${kept}`).width > width) kept = kept.slice(1);
  return `…${kept}`;
}

/** The run and dimension below the pointer. */
function stripPlace(event) {
  const box = part("dimensions", "canvas").getBoundingClientRect();
  const run = strip.rows[Math.floor((event.clientY - box.top - STRIP.head) / strip.row)];
  const dimension = Math.floor((event.clientX - box.left - strip.left - STRIP.gap) / strip.column);
  return run === undefined ? null : { run, dimension };
}

/** Name what is below the pointer. */
function pointStrip(event) {
  const found = stripPlace(event);
  if (!found) return hideTooltip();
  const { rates, label, used } = page.runs[found.run];
  const rate = rates[found.dimension];
  const said = rate === undefined ? [] : [`dimension ${found.dimension + 1} by rate: ${readable(rate, 3)} nats`];
  showTooltip(event.clientX, event.clientY, [label, ...said, `${used} of ${rates.length} used by the decoder`]);
}

/** What a reader must know of the strip. */
function stripHint() {
  if (!strip.rows.length) return "No run that is shown has finished.";
  const rows = strip.short && page.keys.length ? `Rows: ${page.keys.map((key) => key.title).join(", ")}. ` : "";
  return `${rows}Brighter is more: up to ${readable(strip.highest, 2)} nats. Grey dimensions carry less than 0.01 nats. A click opens the run.`;
}
