/* The box beside the pointer that names a run and its figures. */

const NAMED = ["ELBO", "KL (rate)", "distortion", "MI"];

/** The final figures of a run as lines of text. */
function runLines(run) {
  const entry = page.runs[run];
  const columns = page.figures.filter((figure) => figure.column);
  const shown = columns.map((figure, i) => [figure.title, entry.cells[i]]).filter(([title, cell]) => NAMED.includes(title) && cell !== "-");
  const figures = shown.map(([title, cell]) => `${title} ${cell}`).join(", ");
  return [...(figures ? [`at the end: ${figures}`] : []), `collapse: ${entry.collapse}`];
}

/** Show lines at a place of the window; the first is a heading. */
function showTooltip(x, y, [heading, ...lines]) {
  const box = document.getElementById("tooltip");
  box.replaceChildren(element("strong", {}, heading), ...lines.map((line) => element("div", {}, line)));
  box.hidden = false;
  const { width, height } = box.getBoundingClientRect();
  box.style.left = `${Math.max(4, Math.min(x + 14, window.innerWidth - width - 8))}px`;
  box.style.top = `${y + 16 + height > window.innerHeight ? Math.max(4, y - height - 12) : y + 16}px`;
}

/** Hide it. */
function hideTooltip() {
  document.getElementById("tooltip").hidden = true;
}
