import { render } from "preact";
import { App } from "./app.tsx";
import "./styles/index.css";
import { restoreTheme } from "./ui/theme.ts";

/** Text is measured and laid out once, in the font it keeps; a font that does not come is not waited for. */
const FONT_WAIT_MS = 1_000;

restoreTheme();
await Promise.race([
  Promise.all([document.fonts.load("1rem Inter"), document.fonts.load('1rem "JetBrains Mono"')]),
  new Promise((resolve) => setTimeout(resolve, FONT_WAIT_MS)),
]).catch(() => undefined);
const root = document.querySelector("#app");
if (root) render(<App />, root);
