/* What the page is told: JSON, and one compressed block of numbers. */

/** Decompress the block and cut it into the curves of each run. */
async function readCurves(index, text) {
  const bytes = Uint8Array.from(atob(text.trim()), (sign) => sign.charCodeAt(0));
  const whole = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return cutCurves(index, await new Response(whole).arrayBuffer());
}

/** The curves of each run by the position of their name, {x, y}, null where there is none. */
function cutCurves(index, buffer) {
  let offset = 0;
  const take = (Type, length) => new Type(buffer, (offset += 4 * length) - 4 * length, length);
  const steps = index.steps.map((length) => take(Uint32Array, length));
  return index.runs.map((places) => {
    return places.map((place) => (place < 0 ? null : { x: steps[place], y: finite(take(Float32Array, steps[place].length)) }));
  });
}

/** Values as they are drawn: what is not finite is null, a gap. */
function finite(values) {
  return values.every(Number.isFinite) ? values : Array.from(values, (value) => (Number.isFinite(value) ? value : null));
}

/** The median of numbers. */
function median(values) {
  const ordered = values.toSorted((a, b) => a - b);
  const middle = ordered.length >> 1;
  return ordered.length % 2 ? ordered[middle] : (ordered[middle - 1] + ordered[middle]) / 2;
}
