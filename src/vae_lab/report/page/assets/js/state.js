/* What is shown: the data, and what the reader has chosen. */

const page = JSON.parse(document.getElementById("data").textContent);
const SEED = "seed";
const COLLAPSE = collapseKey(page.runs);
const SETTINGS = page.runs.map(settingOf);

const state = {
  curves: null, // of each run; null until they are decompressed
  colour: firstColour(), // a key
  hidden: new Map(), // of each key: positions of the values that are filtered out
  bands: page.keys.some((key) => key.key === SEED),
};

/** How each run ended, as one more thing to colour and filter by. */
function collapseKey(runs) {
  const words = { none: "all dimensions used", partial: "some dimensions unused", full: "collapsed" };
  const found = runs.map((run) => words[run.verdict] ?? run.status);
  const known = [...Object.values(words), "diverged", "failed", "stopped", "running"];
  const values = known.filter((value) => found.includes(value));
  return { key: "collapse", title: "collapse", values, numbers: values.map(() => null), own: found.map((value) => values.indexOf(value)) };
}

/** All that one may colour and filter by. */
function allKeys() {
  return [...page.keys, COLLAPSE];
}

/** The first key that tells runs apart. */
function firstColour() {
  return page.keys.find((key) => key.key !== SEED && key.values.length > 1) ?? COLLAPSE;
}

/** The position of a run's value among those of a key. */
function valueOf(run, key) {
  return key === COLLAPSE ? COLLAPSE.own[run] : page.runs[run].values[page.keys.indexOf(key)];
}

/** Whether a run passes all filters. */
function passes(run) {
  return [...state.hidden].every(([key, hidden]) => !hidden.has(valueOf(run, key)));
}

/** The positions of the runs that are shown. */
function shownRuns() {
  return page.runs.map((_, run) => run).filter(passes);
}

/** Colour, dash and shape of a run. */
function runLook(run) {
  return lookOf(state.colour, valueOf(run, state.colour));
}

/** The runs that differ in their seed only, as lists of positions. */
function settings(runs) {
  return [...Map.groupBy(runs, (run) => SETTINGS[run]).values()];
}

/** The values of a run but its seed, as one text. */
function settingOf(run) {
  return JSON.stringify(run.values.map((value, i) => (page.keys[i].key === SEED ? null : value)));
}

/** The figure of a run, null where it has none. */
function figureOf(run, name) {
  const place = page.figures.findIndex((figure) => figure.name === name);
  return place < 0 ? null : page.runs[run].numbers[place];
}
