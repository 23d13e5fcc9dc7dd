/* The panel of a run: its figures, what differs in its config, its diagnosis, and the commands about it. */

/** The panel. */
function details(run) {
  const entry = page.runs[run];
  const left = [...ending(entry), ...diagnosis(entry)];
  const right = [...differences(entry), ...commandLines(entry)];
  const columns = element("div", { className: "columns" }, element("div", {}, ...left), element("div", {}, ...right));
  return element("div", { className: "panel" }, element("h3", {}, entry.label), columns, ...pictures(entry));
}

/** How it ended. */
function ending(entry) {
  const took = entry.seconds === null ? "" : `, ${readable(entry.seconds, 1)} s`;
  const rows = [["status", entry.reason ? `${entry.status}: ${entry.reason}` : entry.status], ["collapse", entry.collapse]];
  if (entry.steps) rows.push(["length", `${entry.steps} steps${took}, seed ${entry.seed}`]);
  rows.push(["directory", element("a", { href: `${entry.folder}/` }, entry.name)]);
  return [element("h4", {}, "How it ended"), list(rows)];
}

/** Its diagnosis in words. */
function diagnosis(entry) {
  if (!entry.checks.length && !entry.cause) return [];
  const cause = entry.cause ? [["cause", entry.cause]] : [];
  const advice = entry.advice ? [["try", entry.advice]] : [];
  return [element("h4", {}, "Diagnosis"), list([...cause, ...advice, ...entry.checks])];
}

/** What not all runs share, and what they do. */
function differences(entry) {
  const own = entry.settings.length ? list(entry.settings) : element("p", {}, "Nothing: all settings are as the others have them.");
  const shared = page.shared.length ? [element("h4", {}, "Shared by all runs"), list(page.shared)] : [];
  const heading = page.runs.length > 1 ? "What differs in its config" : "Its settings";
  return [element("h4", {}, heading), own, ...shared];
}

/** The commands about it, each with a button that copies it. */
function commandLines(entry) {
  return entry.commands.flatMap(([title, command]) => {
    const copy = element("button", { type: "button", onclick: () => copyText(command, copy) }, "Copy");
    return [element("h4", {}, title), element("div", { className: "command" }, element("code", {}, command), copy)];
  });
}

/** Put a text on the clipboard, and say so on the button. */
async function copyText(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    window.getSelection().selectAllChildren(button.previousSibling);
    button.textContent = "Selected";
  }
}

/** Its pictures, where there are any. */
function pictures(entry) {
  if (!entry.pictures.length) return [];
  const shown = entry.pictures.map(([title, link]) => {
    const image = element("img", { src: link, alt: title, loading: "lazy" });
    return element("figure", {}, element("a", { href: link }, image), element("figcaption", {}, title));
  });
  return [element("h4", {}, "Pictures"), element("div", { className: "pictures" }, ...shown)];
}

/** Pairs as a list of terms. */
function list(pairs) {
  return element("dl", {}, ...pairs.flatMap(([term, words]) => [element("dt", {}, term), element("dd", {}, words)]));
}
