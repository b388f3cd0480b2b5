import { expect } from "chai";
import { bytes, clock, count, counted, duration, percent } from "../src/data/format.ts";
import { refusalOf } from "../src/data/upload.ts";
import { linkTo, parseRoute } from "../src/route.ts";

describe("format", () => {
  it("counts in words", () => {
    expect(counted(1, "frame")).to.equal("1 frame");
    expect(counted(20_113, "box", "boxes")).to.equal("20,113 boxes");
    expect(count(0)).to.equal("0");
  });

  it("writes sizes, clip times, durations and shares", () => {
    expect([999, 1_000, 12_345, 5_600_000].map(bytes)).to.deep.equal([
      "999 B",
      "1.0 kB",
      "12 kB",
      "5.6 MB",
    ]);
    expect([0, 59.9, 65, -3].map(clock)).to.deep.equal(["0:00", "0:59", "1:05", "0:00"]);
    expect([0.2, 89, 120, 7_200].map(duration)).to.deep.equal(["1 s", "89 s", "2 min", "2.0 h"]);
    expect(percent(0.934)).to.equal("93 %");
  });
});

describe("parseRoute", () => {
  it("reads back what linkTo writes", () => {
    expect(parseRoute(linkTo("frames", "a/b c"))).to.deep.equal({ screen: "frames", id: "a/b c" });
    expect(parseRoute(linkTo("keys"))).to.deep.equal({ screen: "keys", id: null });
  });

  it("shows the frames for an address that it does not know", () => {
    expect(parseRoute("")).to.deep.equal({ screen: "frames", id: null });
    expect(parseRoute("#/nonsense")).to.deep.equal({ screen: "frames", id: null });
  });
});

describe("refusalOf", () => {
  it("lets pictures and clips pass", () => {
    expect(refusalOf({ type: "image/jpeg", size: 1_000 })).to.equal(null);
    expect(refusalOf({ type: "video/mp4", size: 100 * 1024 * 1024 })).to.equal(null);
  });

  it("says why others do not", () => {
    expect(refusalOf({ type: "image/gif", size: 1_000 })).to.contain(
      "Only JPEG, PNG, WebP and MP4",
    );
    expect(refusalOf({ type: "image/png", size: 0 })).to.contain("empty");
    expect(refusalOf({ type: "image/png", size: 21 * 1024 * 1024 })).to.contain("at most 20 MB");
  });
});
