// Light or dark: the system's wish until somebody chooses. The choice is the only thing this page ever stores.

export type Theme = "light" | "dark";

const STORAGE_KEY = "theme";

export function currentTheme(): Theme {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === "light" || chosen === "dark") return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

export function setTheme(theme: Theme): void {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem(STORAGE_KEY, theme);
  } catch {
    // Storage may be forbidden; then the choice lasts as long as the page.
  }
}

export function restoreTheme(): void {
  try {
    const chosen = localStorage.getItem(STORAGE_KEY);
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    // As above.
  }
}
