/* Elements. Text from configs and names only ever becomes text nodes. */

/** An element with properties, attributes where they have no property, and children: elements or text. */
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** The element of a section. */
function part(section, selector) {
  return document.querySelector(`#${section} ${selector}`);
}

/** A select in a label. `options` are [value, text, group]; groups follow each other. */
function chooser(label, options, chosen, change) {
  const select = element("select", { onchange: () => change(select.value) });
  let group = null;
  for (const [value, text, name] of options) {
    if (name && group?.label !== name) select.append((group = element("optgroup", { label: name })));
    (name ? group : select).append(element("option", { value, selected: String(value) === String(chosen) }, text));
  }
  return element("label", {}, label, select);
}

/** A checkbox in a label. */
function toggle(label, checked, change) {
  const box = element("input", { type: "checkbox", checked, onchange: () => change(box.checked) });
  return element("label", {}, box, ` ${label}`);
}

/** A number as people read it: as many digits as tell something. */
function readable(value, digits = null) {
  if (value === null || value === undefined || Number.isNaN(value)) return "-";
  if (digits !== null) return (Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value).toFixed(digits);
  return String(Number(value.toPrecision(4)));
}
