// What is left behind: in the database, in files, in the log, in the browser's profile, on the network, on the console.
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { findIn, findInServer } from "../../../../test/support/leak-search.ts";
import type { Stage } from "./stage.ts";

/** How pictures and clips begin, or nearly so; long enough not to stand in ciphertext by chance. */
const SIGNS = ["\0\u0010JFIF\0\u0001", "Exif\0\0II*\0", "Exif\0\0MM\0*", "WEBPVP8", "ftypisom"];

export function traces(stage: Stage): void {
  it("asked nobody but its own server for anything", async () => {
    const { browser, app } = stage;
    const foreign = (): string[] =>
      browser.requests.filter((url) => !url.startsWith(app.url) && !url.startsWith("data:"));
    expect(browser.requests.length).to.be.greaterThan(100);
    expect(foreign()).to.deep.equal([]);
    // The control: a request elsewhere would have been seen.
    const control = await browser.context.newPage();
    await control.goto("http://elsewhere.invalid/").catch(() => undefined);
    await control.close();
    expect(foreign()).to.deep.equal(["http://elsewhere.invalid/"]);
  });

  it("leaves nothing readable in database, files, log and browser", async () => {
    const { browser, app, page, marker } = stage;
    // The control: what a page keeps on purpose is found in the profile, and its script in the cache.
    const control = `Yq${randomBytes(9).toString("hex")}`;
    await page.evaluate((value) => localStorage.setItem("control", value), control);
    const script = await page.locator("script[src]").getAttribute("src");
    await browser.close();
    const profile = filesBelow(browser.profile).map((path) => ({
      path,
      bytes: readFileSync(path),
    }));
    const findInProfile = (text: string): string[] =>
      profile.flatMap(({ path, bytes }) => findIn(path, bytes, text));
    expect(findInProfile(control)).not.to.deep.equal([]);
    expect(findInProfile(script ?? "no script")).not.to.deep.equal([]);

    const findInFolder = (text: string): string[] =>
      filesBelow(app.folder).flatMap((file) => findIn(file, readFileSync(file), text));
    // The controls: what a statement says is found in the database's files and log, a path in the server's log, and
    // what stands in an object in the clear in the object store.
    await app.database.query(`CREATE TABLE control AS SELECT '${control}'::text AS word`);
    const inDatabase = await findInServer(app.database, control);
    expect(inDatabase.filter((place) => place.includes("log")).length).to.be.greaterThan(0);
    expect(inDatabase.filter((place) => place.includes("/base/")).length).to.be.greaterThan(0);
    expect(findInFolder("/api/frames").join()).to.include("server.log");
    const object = join(app.folder, "data/objects", "control");
    writeFileSync(object, Buffer.from(control).toString("base64"));
    expect(findInFolder(control).join()).to.include(object);
    rmSync(object);

    const hits = [
      await findInServer(app.database, marker),
      findInProfile(marker),
      findInFolder(marker),
    ];
    expect(hits.flat()).to.deep.equal([]);

    const objects = filesBelow(join(app.folder, "data/objects"));
    expect(objects.length).to.be.greaterThan(50);
    const isPicture = (bytes: Buffer): boolean =>
      SIGNS.some((sign) => bytes.includes(sign, 0, "latin1"));
    const photograph = join(import.meta.dirname, "../../media/coffee.jpg");
    expect(isPicture(readFileSync(photograph))).to.equal(true);
    expect(objects.filter((file) => isPicture(readFileSync(file)))).to.deep.equal([]);
    expect(profile.filter(({ bytes }) => isPicture(bytes)).map(({ path }) => path)).to.deep.equal(
      [],
    );
  });
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
}
