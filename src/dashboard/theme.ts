/** Light or dark: as the system has it, until somebody chooses. */
const kept = "heddle-theme";

export type Theme = "light" | "dark";

const system = matchMedia("(prefers-color-scheme: dark)");

export function themeNow(): Theme {
  const chosen = localStorage.getItem(kept);
  if (chosen === "light" || chosen === "dark") return chosen;
  return system.matches ? "dark" : "light";
}

/** From now on, whatever the system turns to. Who draws by colours hears `themechange`. */
export function followTheme(): void {
  system.addEventListener("change", apply);
  apply();
}

function apply(): void {
  document.documentElement.setAttribute("data-theme", themeNow());
  dispatchEvent(new Event("themechange"));
}

export function turnTheme(): void {
  localStorage.setItem(kept, themeNow() === "dark" ? "light" : "dark");
  apply();
}
