import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { rewriteInTurns } from "../src/rewrite-in-turns.ts";
import type { Cell } from "../src/rewrite.ts";
import { ACCEPT, column, inPlace } from "./columns.ts";

describe("Rewriting in turns", () => {
  const keyring = Keyring.fromKey(generateRootKey());
  const label = column({ table: "t", column: "label", keyring, options: ACCEPT });
  const table = { migrated: [inPlace(label)] };
  const sealed = label.cipher.seal("sealed before") as string;
  const damaged = `${sealed.slice(0, -8)}AAAAAAA=`;

  it("keeps every row and every finding in its place", async () => {
    const rows: Cell[][] = Array.from({ length: 350 }, (_, i) => [`text ${i}`]);
    rows[0] = [sealed];
    rows[170] = [damaged];
    rows[249] = [null];
    rows[340] = [damaged];
    const asked: [number, string][] = [];
    const { rows: next, poison } = await rewriteInTurns(table, rows, {
      direction: "encrypt",
      isPlaintext: (row, name) => {
        asked.push([row, name]);
        return row === 340;
      },
    });
    expect(poison).to.deep.equal([{ row: 170, column: "label", code: "ERR_DECRYPT_FAILED" }]);
    expect(asked.map(([row]) => row)).to.include.members([170, 340]);
    expect(next.length).to.equal(350);
    next.forEach((cells, i) => {
      if ([0, 170, 249].includes(i)) expect(cells, `row ${i}`).to.equal(undefined);
      else expect(label.cipher.open(cells![0]!)).to.equal(i === 340 ? damaged : `text ${i}`);
    });
  });

  it("lets others have their turn in between", async () => {
    const order: string[] = [];
    const rows: Cell[][] = Array.from({ length: 350 }, (_, i) => [`text ${i}`]);
    const rewriting = rewriteInTurns(table, rows, { direction: "encrypt" }).then(() =>
      order.push("rewritten"),
    );
    setImmediate(() => order.push("other"));
    await rewriting;
    expect(order).to.deep.equal(["other", "rewritten"]);
  });
});
