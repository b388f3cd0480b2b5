import { expect } from "chai";
import { commandFor, HELP, type KeyPress } from "../src/editor/keyboard-map.ts";

function press(key: string, held: Partial<KeyPress> = {}): KeyPress {
  return { key, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, ...held };
}

describe("keyboard map", () => {
  it("moves by 1 pixel, with Shift by 10, and resizes with Control", () => {
    expect(commandFor(press("ArrowLeft"))).to.deep.equal({ kind: "nudge", dx: -1, dy: 0 });
    expect(commandFor(press("ArrowDown", { shiftKey: true }))).to.deep.equal({
      kind: "nudge",
      dx: 0,
      dy: 10,
    });
    expect(commandFor(press("ArrowRight", { ctrlKey: true }))).to.deep.equal({
      kind: "resize",
      dx: 1,
      dy: 0,
    });
    expect(commandFor(press("ArrowUp", { metaKey: true, shiftKey: true }))).to.deep.equal({
      kind: "resize",
      dx: 0,
      dy: -10,
    });
  });

  it("takes the digits 1 to 9 for labels, and 0 for the zoom", () => {
    for (let digit = 1; digit <= 9; digit += 1) {
      expect(commandFor(press(String(digit)))).to.deep.equal({ kind: "label", index: digit - 1 });
    }
    expect(commandFor(press("0"))).to.deep.equal({ kind: "zoom-fit" });
    expect(commandFor(press("1", { ctrlKey: true }))).to.equal(null);
  });

  it("redoes by Ctrl+Shift+Z and by Ctrl+Y, on a Mac with Command", () => {
    expect(commandFor(press("z", { ctrlKey: true }))).to.deep.equal({ kind: "undo" });
    expect(commandFor(press("Z", { ctrlKey: true, shiftKey: true }))).to.deep.equal({
      kind: "redo",
    });
    expect(commandFor(press("y", { metaKey: true }))).to.deep.equal({ kind: "redo" });
  });

  it("walks frames and marks them", () => {
    const kinds = ["d", "f", "g", "r", "?"].map((key) => commandFor(press(key))?.kind);
    expect(kinds).to.deep.equal([
      "previous-frame",
      "next-frame",
      "next-unreviewed",
      "toggle-reviewed",
      "help",
    ]);
  });

  it("leaves the browser its own keys", () => {
    expect(commandFor(press("Tab"))).to.equal(null);
    expect(commandFor(press("f", { ctrlKey: true }))).to.equal(null);
    expect(commandFor(press("r", { ctrlKey: true }))).to.equal(null);
    expect(commandFor(press("c", { ctrlKey: true, shiftKey: true }))).to.equal(null);
    expect(commandFor(press("d", { altKey: true }))).to.equal(null);
  });

  it("keeps every single key of the help sheet true", () => {
    const names: Record<string, string> = {
      Del: "Delete",
      Esc: "Escape",
      "←": "ArrowLeft",
      "↑": "ArrowUp",
      "→": "ArrowRight",
      "↓": "ArrowDown",
    };
    const browserKeys = new Set(["Tab", "drag"]);
    const combinations = HELP.flatMap((group) => group.rows).flatMap((row) => row.keys);
    for (const combination of combinations) {
      const key = combination.at(-1) ?? "";
      if (browserKeys.has(key)) continue;
      const held = {
        ctrlKey: combination.includes("Ctrl"),
        shiftKey: combination.includes("Shift"),
      };
      expect(commandFor(press(names[key] ?? key, held)), combination.join("+")).to.not.equal(null);
    }
  });
});
