import { render } from "preact";
import { App } from "./app.tsx";
import "./styles/index.css";
import { restoreTheme } from "./ui/theme.ts";

restoreTheme();
const root = document.querySelector("#app");
if (root) render(<App />, root);
