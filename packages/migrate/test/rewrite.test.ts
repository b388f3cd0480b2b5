import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { rewrite } from "../src/rewrite.ts";
import { column, inPlace } from "./columns.ts";

describe("Rewriting with previous", () => {
  const keyring = Keyring.fromKey(generateRootKey());
  const label = column({ table: "t", column: "label", keyring });
  const ways = {
    "of the legacy layout": {
      column: "label",
      options: { legacy: "aes-256-cbc", suite: "aes-256-cbc" },
    },
    "of another column": { column: "old_label", options: {} },
  } as const;

  for (const [what, way] of Object.entries(ways)) {
    it(`seals values ${what} once, in whatever company a run meets them again`, () => {
      const { cipher: previous } = column({ table: "t", keyring, ...way });
      const table = { migrated: [inPlace(label, previous)] };
      const sealed = label.cipher.seal("done");
      const { rows, poison } = rewrite(table, [[previous.seal("to do")], [sealed], [null]], {
        direction: "encrypt",
      });
      expect(poison).to.deep.equal([]);
      expect(label.cipher.open(rows[0]![0]!)).to.equal("to do");
      expect(rows.slice(1)).to.deep.equal([undefined, undefined]);
    });
  }
});
