// Run by memory.test.ts in a process of its own: a large object through put, get and ranges of the storage that the
// environment describes. Prints the peak RSS.
// JavaScript, because stripping types would take 30 MB of what is measured.
import { readFileSync } from "node:fs";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { createEncryptedStorage } from "@fieldseal/storage";

const MIB = 1024 * 1024;
const [mebibytes = "1024", ranges = "600"] = process.argv.slice(2);
const chunks = Number(mebibytes);

/**
 * Each MiB begins with its number, so that what comes back can be checked at little cost. One chunk serves all: it is the
 * memory of the storage that is measured, not what a program leaves to the garbage collector.
 */
async function* source() {
  const chunk = Buffer.alloc(MIB, "x");
  for (let i = 0; i < chunks; i++) {
    chunk.writeUInt32BE(i, 0);
    yield chunk;
  }
}

function check(isRight, what) {
  if (!isRight) throw new Error(`Wrong content: ${what}`);
}

const keyring = Keyring.fromKey(generateRootKey());
const storage = await createEncryptedStorage(process.env, { keyring });
const { signal } = new AbortController();
await storage.put("large", source(), { signal, onProgress: () => {} });

const { stream, info } = await storage.get("large", { signal });
check(info.size === chunks * MIB, "size");
let at = 0;
for await (const piece of stream) {
  const first = Math.ceil(at / MIB) * MIB;
  for (let offset = first; offset + 4 <= at + piece.length; offset += MIB) {
    check(piece.readUInt32BE(offset - at) === offset / MIB, `at ${offset}`);
  }
  at += piece.length;
}
check(at === info.size, "length");

const object = await storage.open("large");
const reused = Buffer.alloc(MIB);
for (let i = 0; i < Number(ranges); i++) {
  const number = 1 + Math.floor(Math.random() * (chunks - 1));
  const [bytes, numberAt] = await oneRange(i % 3, number * MIB);
  check(bytes.readUInt32BE(numberAt) === number, "range");
}
await object.close();
process.stdout.write(String(Math.round(peakBytes() / 1e6)));

/**
 * In each of the ways to get one, and where in it the number of the MiB stands. `read` makes a new Buffer every time, as
 * `fs.read` does in examples; V8 lets some 64 MB of those pile up. A loop of large reads has `readInto`.
 */
async function oneRange(way, at) {
  if (way === 0) return [await object.read(at - 1000, 64 * 1024), 1000];
  const start = at - MIB / 2;
  if (way === 1) {
    const got = await storage.get("large", { range: { start, end: start + MIB - 1 } });
    return [await got.bytes(), MIB / 2];
  }
  await object.readInto(reused, start);
  return [reused, MIB / 2];
}

/** `resourceUsage().maxRSS` would not do on Linux: a child starts with the peak of the process that started it. */
function peakBytes() {
  if (process.platform !== "linux") return process.resourceUsage().maxRSS * 1024;
  return Number(/VmHWM:\s*(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))[1]) * 1024;
}
