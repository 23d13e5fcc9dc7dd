/* Light and dark: as the system says, until the button says otherwise. */

const system = window.matchMedia("(prefers-color-scheme: dark)");
let chosenTheme = null;

/** Whether the page is dark now. */
function isDark() {
  return chosenTheme === null ? system.matches : chosenTheme === "dark";
}

/** A colour of page.css as it is in this theme. */
function themeColour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Put the theme on the page. */
function applyTheme() {
  document.documentElement.dataset.theme = isDark() ? "dark" : "light";
  document.getElementById("theme").textContent = isDark() ? "Light" : "Dark";
}

/** Follow the system and the button; `changed` is called after each change. */
function watchTheme(changed) {
  const update = () => {
    applyTheme();
    changed();
  };
  system.addEventListener("change", update);
  document.getElementById("theme").addEventListener("click", () => {
    chosenTheme = isDark() ? "light" : "dark";
    update();
  });
}
