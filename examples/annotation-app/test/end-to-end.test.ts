// The whole application as people use it: real browser, real server, real PostgreSQL, real files. The tests build on
// one another, in this order: what one leaves behind, a later one finds.
import { randomBytes } from "node:crypto";
import { expect } from "chai";
import { appearance } from "./end-to-end/appearance.ts";
import { drawing } from "./end-to-end/drawing.ts";
import { files } from "./end-to-end/files.ts";
import { keys } from "./end-to-end/keys.ts";
import { Stage } from "./end-to-end/stage.ts";
import { traces } from "./end-to-end/traces.ts";
import { trouble } from "./end-to-end/trouble.ts";
import { workflow } from "./end-to-end/workflow.ts";

describe("The annotation app in Chromium", function () {
  this.timeout(60_000);
  const stage = new Stage(`Xq${randomBytes(9).toString("hex")}`);

  before(async function () {
    await stage.set(this);
  });

  // A page behind another is drawn once a second, and so moves and clicks on it take a second each.
  beforeEach(() => stage.page.bringToFront());

  // Each test takes the complaints it has provoked; whatever is left is a fault.
  afterEach(() => {
    expect(stage.browser.complaints.splice(0)).to.deep.equal([]);
  });

  after(() => stage.strike());

  drawing(stage);
  workflow(stage);
  files(stage);
  trouble(stage);
  keys(stage);
  appearance(stage);
  traces(stage);
});
