/* Colours that the colour-blind can tell apart: viridis for numbers, those of Okabe and Ito for names. */

const VIRIDIS = ["#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"];
const OKABE_ITO = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", null, "#b8a500"]; // null: ink
const DASHES = [null, [8, 4], [2, 3]]; // of the first eight names, the next eight, and those after
const LIGHT_END = 0.82; // how much of viridis stands out from white, counted from its dark end
const DARK_START = 0.32; // and from black
const RAMP = Array.from({ length: 256 }, (_, i) => between(i / 255));

/** The colour at a position from 0 to 1 of the whole map. */
function viridis(position) {
  return RAMP[Math.round(Math.min(Math.max(position, 0), 1) * (RAMP.length - 1))];
}

/** The colour between those of VIRIDIS at a position from 0 to 1. */
function between(position) {
  const place = position * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(place), VIRIDIS.length - 2);
  const above = channels(VIRIDIS[low + 1]);
  const mixed = channels(VIRIDIS[low]).map((value, i) => Math.round(value + (place - low) * (above[i] - value)));
  return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

/** Red, green and blue of a colour written as #rrggbb. */
function channels(colour) {
  return [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));
}

/** A colour that lets through what lies below. */
function translucent(colour) {
  return `${colour}30`;
}

/** The colour of a line or point that must stand out from the page. */
function sequential(position) {
  return viridis(isDark() ? DARK_START + (1 - DARK_START) * position : LIGHT_END * position);
}

/** Colour, dash and shape of the value at a position of a key. */
function lookOf(key, index) {
  const numbers = key.numbers.filter((number) => number !== null).length;
  if (numbers < 2) return named(index);
  if (key.numbers[index] === null) return { colour: themeColour("soft"), dash: DASHES[2], shape: 2 };
  return { colour: sequential(index / (numbers - 1)), dash: null, shape: 0 };
}

/** The look of a name: after eight colours the dashes and shapes change. */
function named(index) {
  const turn = Math.floor(index / 8) % 3;
  return { colour: OKABE_ITO[index % 8] ?? themeColour("ink"), dash: DASHES[turn], shape: turn };
}

/** Black or white, whichever reads better on a place of viridis. */
function inkOn(position) {
  return position > 0.55 ? "#000" : "#fff";
}
