import { expect } from "chai";
import { formatBytes, formatSeconds } from "../src/quantities.ts";

describe("quantities", () => {
  it("are short and rounded", () => {
    const bytes = {
      0: "0 bytes",
      1023: "1023 bytes",
      1536: "1.5 KB",
      104857600: "100 MB",
      3221225472: "3.0 GB",
    };
    for (const [number, text] of Object.entries(bytes))
      expect(formatBytes(Number(number))).to.equal(text);
    expect(formatBytes(5 * 1024 ** 5)).to.equal("5120 TB");
    const seconds = {
      0: "0 s",
      59: "59 s",
      90: "1 min 30 s",
      120: "2 min",
      700: "11 min",
      3600: "1 h",
      5400: "1 h 30 min",
    };
    for (const [number, text] of Object.entries(seconds))
      expect(formatSeconds(Number(number))).to.equal(text);
  });
});
