import { ConfigError, generateRootKey, Keyring } from "@fieldseal/crypto";
import { SignedUrls } from "@fieldseal/storage";
import { expect } from "chai";
import { codeOf } from "./support/bodies.ts";

describe("SignedUrls", () => {
  const keyring = Keyring.fromKey(generateRootKey());
  const urls = new SignedUrls({ baseUrl: "/files/", keyring });
  const tokenOf = (url: string): string => url.slice(url.lastIndexOf("/") + 1);

  it("open with host, query and fragment, for keys of any length", () => {
    for (const key of ["a", "ü/🎥 %2e.mp4", `${'"/'.repeat(500)}x`]) {
      const path = urls.sign(key, { objectId: "0".repeat(32) });
      for (const url of [path, `https://example.org${path}`, `${path}?a=/b#c`, `${path}#/x?y`]) {
        expect(urls.open(url)).to.deep.equal({
          key,
          disposition: "inline",
          objectId: "0".repeat(32),
        });
      }
    }
  });

  it("are for one storage: a token of another base path or context does not open", () => {
    const url = urls.sign("k");
    for (const options of [
      { baseUrl: "/others/" },
      { baseUrl: "https://example.org/others/" },
      { baseUrl: "/files/", context: "other" },
    ]) {
      const other = new SignedUrls({ keyring, ...options });
      expect(codeOf(() => other.open(url))).to.equal("ERR_STORAGE_LINK");
      expect(codeOf(() => urls.open(other.sign("k")))).to.equal("ERR_STORAGE_LINK");
    }
    const withHost = new SignedUrls({ baseUrl: "https://example.org/files/", keyring });
    expect(urls.open(withHost.sign("k")).key).to.equal("k");
  });

  it("have one spelling, of which no character may change", () => {
    const url = urls.sign("k");
    const token = tokenOf(url);
    for (let at = 0; at < token.length; at++) {
      for (const character of "AQgw_-=+%. ") {
        if (token[at] === character) continue;
        const changed = token.slice(0, at) + character + token.slice(at + 1);
        expect(
          codeOf(() => urls.open(`/files/${changed}`)),
          changed,
        ).to.equal("ERR_STORAGE_LINK");
      }
    }
    for (const changed of [`${token}A`, `${token}=`, token.slice(0, -1), ` ${token}`, ""]) {
      expect(codeOf(() => urls.open(`/files/${changed}`))).to.equal("ERR_STORAGE_LINK");
    }
  });

  it("take a visitor's long URL in little time, whatever it is made of", () => {
    const start = performance.now();
    for (const unit of ["a", "a?", "a#", "/", "-_", "%41"]) {
      const long = `/${unit.repeat(200_000)}!`;
      expect(codeOf(() => urls.open(long))).to.equal("ERR_STORAGE_LINK");
    }
    expect(performance.now() - start).to.be.lessThan(1000);
  });

  it("expire after a number of seconds, and after nothing else", () => {
    for (const expiresInSeconds of [0, -1, NaN, Infinity, "300" as never])
      expect(() => urls.sign("k", { expiresInSeconds })).to.throw(RangeError);
  });

  it("tell a missing key from a bad link", () => {
    const unset = new SignedUrls({
      baseUrl: "/files/",
      keyring: () => {
        throw new ConfigError("ERR_CONFIG_NO_KEY", "No key is configured.");
      },
    });
    expect(codeOf(() => unset.open(urls.sign("k")))).to.equal("ERR_CONFIG_NO_KEY");
  });
});
