// The pages as static files: one script, one style sheet, nothing inline, so that the strictest CSP holds.
import { defineConfig } from "vite";

// Vite reads the default export; nothing else imports this file.
// oxlint-disable-next-line import/no-default-export
export default defineConfig({
  root: import.meta.dirname,
  build: {
    outDir: "../dist/web",
    emptyOutDir: true,
    target: "es2024",
    cssTarget: ["chrome125", "firefox126", "safari18"],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/api": "http://127.0.0.1:4600" } },
});
