// @ts-check
/** The theme button goes round: as the system says, light, dark. The whole site remembers it. */
function themeButton() {
  const themes = ["auto", "light", "dark"];
  const button = /** @type {HTMLButtonElement} */ (document.querySelector("#theme"));
  const root = document.documentElement;
  const apply = (/** @type {string} */ theme) => {
    root.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // Storage may be forbidden; then the next page begins anew.
    }
  };
  button.addEventListener("click", () => apply(themes[(themes.indexOf(root.dataset.theme ?? "") + 1) % themes.length]));
  /** @type {string | null} */ let known = null;
  try {
    known = localStorage.getItem("theme");
  } catch {
    // As above.
  }
  apply(themes.find((theme) => theme === known) ?? "auto");
}

themeButton();

export {};
