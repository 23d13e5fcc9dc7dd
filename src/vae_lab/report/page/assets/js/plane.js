/* The rate-distortion plane: a point per run, lines of equal ELBO, and the linear theory where there is one. */

const PLANE_HEIGHT = 380;
const ISO_LINES = 12; // about how many
const planePanel = { chart: null };

/** Draw the runs that are shown. */
function drawPlane(runs) {
  const host = part("plane", ".chart");
  planePanel.chart?.destroy();
  planePanel.chart = null;
  const points = runs.map((run) => ({ run, x: figureOf(run, "rate"), y: figureOf(run, "distortion") })).filter(({ x, y }) => x !== null && y !== null);
  if (!points.length) return host.replaceChildren(element("p", { className: "nothing" }, "No run that is shown has finished."));
  const iso = isoLines(points);
  const series = [...iso, ...page.theory.map(theoryLine), ...pointSeries(points)];
  const decorate = (plot) => labelIsoLines(plot, iso);
  planePanel.chart = new Chart(host, { series, height: PLANE_HEIGHT, decorate, labels: ["KL (rate), nats per image", "distortion, nats per image"] });
  part("plane", ".hint").textContent = planeHint(points);
}

/** The runs as one series for each colour, those that collapsed apart: they are hollow. */
function pointSeries(points) {
  const look = ({ run }) => `${valueOf(run, state.colour)} ${page.runs[run].verdict === "full"}`;
  return [...Map.groupBy(points, look).values()].map((group) => {
    const runs = group.map((point) => point.run);
    const said = (i) => [page.runs[runs[i]].label, ...runLines(runs[i])];
    const { colour, shape } = runLook(runs[0]);
    const hollow = page.runs[runs[0]].verdict === "full";
    return { kind: "points", x: group.map(({ x }) => x), y: group.map(({ y }) => y), runs, said, colour, shape, hollow };
  });
}

/** Lines on which distortion + rate, the negative ELBO, is the same, within the extent of the points and of the theory. */
function isoLines(points) {
  const [left, right] = extent([...points.map(({ x }) => x), ...page.theory.flatMap((line) => line.rates)]);
  const [low, high] = extent([...points.map(({ y }) => y), ...page.theory.flatMap((line) => line.distortions)]);
  const step = niceStep((right - left + high - low) / ISO_LINES);
  const lines = [];
  for (let sum = Math.ceil((left + low) / step) * step; sum <= right + high; sum += step) {
    const x = [Math.max(left, sum - high), Math.min(right, sum - low)];
    lines.push({ kind: "line", sum, x, y: x.map((rate) => sum - rate), colour: themeColour("soft"), dash: [2, 4], width: 1 });
  }
  return lines;
}

/** Least and largest of numbers, and some room. */
function extent(numbers) {
  const [least, largest] = [Math.min(...numbers), Math.max(...numbers)];
  const room = 0.08 * (largest - least) || 0.5;
  return [least - room, largest + room];
}

/** A step of 1, 2 or 5 times a power of ten, at least `least`. */
function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5].find((factor) => factor * power >= least) ?? 10);
}

/** Write its ELBO along the beginning of each line, below the points. */
function labelIsoLines(plot, lines) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.fillStyle = themeColour("soft");
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textAlign = "left";
  ctx.textBaseline = "bottom";
  for (const { sum, x, y } of lines) {
    const [left, right] = x.map((rate) => plot.valToPos(rate, "x", true));
    const [top, bottom] = y.map((distortion) => plot.valToPos(distortion, "y", true));
    ctx.save();
    ctx.translate(left, top);
    ctx.rotate(Math.atan2(bottom - top, right - left));
    ctx.fillText(`ELBO ${readable(-sum)}`, 14 * devicePixelRatio, -devicePixelRatio);
    ctx.restore();
  }
  ctx.restore();
}

/** What the linear theory says at each rate. */
function theoryLine(line) {
  const said = (i) => [line.title, `the best distortion at rate ${readable(line.rates[i])}: ${readable(line.distortions[i])}`];
  return { kind: "line", x: line.rates, y: line.distortions, colour: themeColour("ink"), dash: [6, 4], width: 1.5, said };
}

/** What a reader must know of the chart. */
function planeHint(points) {
  const count = points.length;
  const hollow = points.some(({ run }) => page.runs[run].verdict === "full") ? " Hollow ones collapsed." : "";
  const theory = page.theory.length ? " The dashed curve is the optimum of a linear VAE at each rate." : "";
  return `${count} finished run${count === 1 ? "" : "s"}.${hollow} Dotted lines have equal ELBO = -(distortion + rate); lower left is better.${theory}`;
}
