/* The bar above the charts: how many runs are shown, what colours them, and a chip for each swept value. */

/** Build the bar; `changed` is called when the choice of runs or colours changes. */
function buildFilters(changed) {
  const keys = allKeys().filter((key) => key.values.length > 1);
  const colours = keys.length ? chooser("Colour by", keys.map((key) => [allKeys().indexOf(key), key.title]), allKeys().indexOf(state.colour), (value) => {
    state.colour = allKeys()[value];
    changed();
  }) : null;
  const bands = page.keys.some((key) => key.key === SEED) ? toggle("Seeds as median and range", state.bands, (on) => {
    state.bands = on;
    changed();
  }) : null;
  const all = element("button", { type: "button", id: "all", hidden: true, onclick: () => showAll(changed) }, "Show all");
  const bar = element("div", { className: "bar" }, element("span", { className: "count" }), all, colours, bands);
  const groups = keys.map((key) => chips(key, changed));
  document.getElementById("filters").replaceChildren(bar, element("div", { className: "values" }, ...groups));
}

/** Drop all filters. */
function showAll(changed) {
  state.hidden.clear();
  changed();
}

/** The chips of a key. */
function chips(key, changed) {
  const made = key.values.map((value, index) => chip(key, index, value, changed));
  return element("fieldset", {}, element("legend", {}, key.title), ...made);
}

/** The chip of a value: it is pressed while its runs are shown. A double click, or one with Shift, hides all others. */
function chip(key, index, value, changed) {
  const made = element("button", { type: "button", className: "chip", title: `${key.key} = ${value}; Shift: this one only` });
  made.append(element("i", { className: "swatch" }), element("span", {}, value));
  made.onclick = (event) => {
    (event.shiftKey ? showOnly : flip)(key, index);
    changed();
  };
  made.ondblclick = () => {
    showOnly(key, index);
    changed();
  };
  made.update = () => {
    made.setAttribute("aria-pressed", String(!state.hidden.get(key)?.has(index)));
    paintSwatch(made.firstChild, key === state.colour ? lookOf(key, index) : null);
  };
  return made;
}

/** Hide the runs of a value, or show them again. */
function flip(key, index) {
  const hidden = state.hidden.get(key) ?? new Set();
  if (!hidden.delete(index)) hidden.add(index);
  state.hidden.set(key, hidden);
}

/** Hide the runs of all other values of a key. */
function showOnly(key, index) {
  state.hidden.set(key, new Set([...key.values.keys()].filter((other) => other !== index)));
}

/** Show how the runs of a value look; nothing where something else gives the colours. */
function paintSwatch(swatch, look) {
  swatch.hidden = look === null;
  if (look === null) return;
  const gaps = `repeating-linear-gradient(90deg, ${look.colour} 0 5px, transparent 5px 8px)`;
  swatch.style.background = look.dash ? gaps : look.colour;
}

/** Bring the bar up to date. */
function drawFilters(runs) {
  const count = page.runs.length;
  part("filters", ".count").textContent = runs.length === count ? countWords(count) : `${runs.length} of ${count} runs`;
  document.getElementById("all").hidden = runs.length === count;
  for (const made of document.querySelectorAll(".chip")) made.update();
}

/** How many runs there are. */
function countWords(count) {
  return count === 1 ? "1 run" : `All ${count} runs`;
}
