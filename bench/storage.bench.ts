// Throughput of encrypted objects on local disk, and the time of ranged reads, against bare node:crypto and plain files.
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, open, rename, rm, type FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { EncryptedLocalStorage } from "@fieldseal/storage";
import { BodyReader } from "../packages/storage/src/body-reader.ts";
import { sealBody } from "../packages/storage/src/body-writer.ts";
import { Floe } from "../packages/storage/src/floe.ts";
import { markdownTable, median } from "./interleaved.ts";

const MIB: number = 1024 * 1024;
const SIZE: number = Number(process.env.BENCH_MIB ?? 256) * MIB;
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
const READS = Number(process.env.BENCH_READS ?? 400);
const SEGMENT_PLAIN = 65_504;

const folder = await mkdtemp(join(process.env.BENCH_FOLDER ?? tmpdir(), "fieldseal-bench-"));
const storage = new EncryptedLocalStorage({
  path: folder,
  keyring: Keyring.fromKey(generateRootKey()),
  durability: "none",
});
const plaintext = randomBytes(SIZE);
const key = createSecretKey(randomBytes(32));
const associatedData = Buffer.alloc(9);
const floeOptions = { key: randomBytes(32), associatedData: Buffer.from("bench"), objectKey: "k" };

/** Segment by segment in memory, as bare as node:crypto allows. */
function gcmEncrypt(): void {
  for (let at = 0; at < SIZE; at += SEGMENT_PLAIN) {
    const cipher = createCipheriv("aes-256-gcm", key, randomBytes(12));
    cipher.setAAD(associatedData);
    cipher.update(plaintext.subarray(at, at + SEGMENT_PLAIN));
    cipher.final();
    cipher.getAuthTag();
  }
}

interface Sealed {
  readonly iv: Buffer;
  readonly ciphertext: Buffer;
  readonly tag: Buffer;
}

function gcmSeal(): Sealed[] {
  const sealed: Sealed[] = [];
  for (let at = 0; at < SIZE; at += SEGMENT_PLAIN) {
    const iv = randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", key, iv);
    cipher.setAAD(associatedData);
    const ciphertext = cipher.update(plaintext.subarray(at, at + SEGMENT_PLAIN));
    cipher.final();
    sealed.push({ iv, ciphertext, tag: cipher.getAuthTag() });
  }
  return sealed;
}

function gcmDecrypt(segments: readonly Sealed[]): void {
  for (const { iv, ciphertext, tag } of segments) {
    const decipher = createDecipheriv("aes-256-gcm", key, iv, { authTagLength: 16 });
    decipher.setAAD(associatedData);
    decipher.setAuthTag(tag);
    decipher.update(ciphertext);
    decipher.final();
  }
}

async function* inChunks(): AsyncGenerator<Buffer> {
  for (let at = 0; at < SIZE; at += MIB) yield plaintext.subarray(at, at + MIB);
}

async function drain(source: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _piece of source);
}

const sealed = gcmSeal();
const floe = Floe.create(floeOptions);
const body = Buffer.concat(await copies(sealBody(floe, inChunks())));
const inMemory = {
  object: {
    envelope: undefined,
    bodyBytes: body.length,
    version: "",
    modifiedAt: new Date(),
    foreign: undefined,
  },
  read: (offset: number, length: number) => Promise.resolve(body.subarray(offset, offset + length)),
  async *stream(start: number, end: number): AsyncGenerator<Buffer> {
    for (let at = start; at < end; at += MIB) yield body.subarray(at, Math.min(end, at + MIB));
  },
  refillsMemory: true,
  close: () => Promise.resolve(),
};

async function copies(source: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const pieces: Buffer[] = [];
  for await (const piece of source) pieces.push(Buffer.from(piece));
  return pieces;
}

const plainPath = join(folder, "plain");
const writePlain = (path: string): Promise<void> =>
  pipeline(Readable.from(inChunks()), createWriteStream(path));
await storage.put("object", plaintext);
await writePlain(plainPath);

interface Way {
  readonly name: string;
  readonly run: () => unknown;
  /** Not part of what is measured. */
  readonly before?: () => unknown;
}

const newPath = join(folder, "new-plain");
const removeNew = (): Promise<void> => rm(newPath, { force: true });
/** The first of each list is what the others are compared with. */
const ENCRYPT: readonly Way[] = [
  { name: "encrypt: node:crypto AES-256-GCM, 64 KiB segments, in memory", run: gcmEncrypt },
  {
    name: "encrypt: **fieldseal**, in memory",
    run: () => drain(sealBody(Floe.create(floeOptions), inChunks())),
  },
  {
    name: "encrypt: **fieldseal** `put` to disk",
    before: () => storage.delete("new"),
    run: () => storage.put("new", plaintext),
  },
  {
    // What a file system does then: ext4 allocates the new file's blocks at once, and frees the old one's memory.
    name: "encrypt: **fieldseal** `put` to disk in place of another object",
    run: () => storage.put("object", plaintext),
  },
  { name: "write: plain file", before: removeNew, run: () => writePlain(newPath) },
  {
    name: "write: plain file, renamed over another one",
    run: async () => {
      await writePlain(`${plainPath}.tmp`);
      await rename(`${plainPath}.tmp`, plainPath);
    },
  },
  {
    name: "copy: plain file",
    before: removeNew,
    run: () =>
      pipeline(createReadStream(plainPath, { highWaterMark: MIB }), createWriteStream(newPath)),
  },
];
const DECRYPT: readonly Way[] = [
  {
    name: "decrypt: node:crypto AES-256-GCM, 64 KiB segments, in memory",
    run: () => gcmDecrypt(sealed),
  },
  {
    name: "decrypt: **fieldseal**, in memory",
    run: () => drain(new BodyReader(floe, inMemory).stream(0, SIZE)),
  },
  {
    name: "decrypt: **fieldseal** `get` from disk",
    run: async () => drain((await storage.get("object")).stream),
  },
  {
    name: "read: plain file",
    run: () => drain(createReadStream(plainPath, { highWaterMark: MIB })),
  },
];

const rates = new Map([...ENCRYPT, ...DECRYPT].map(({ name }) => [name, [] as number[]]));
for (let round = 0; round <= ROUNDS; round++) {
  for (const { name, run, before } of shuffled([...ENCRYPT, ...DECRYPT])) {
    await before?.();
    globalThis.gc?.();
    const start = process.hrtime.bigint();
    await run();
    const seconds = Number(process.hrtime.bigint() - start) / 1e9;
    // The first round warms up.
    if (round > 0) rates.get(name)?.push(SIZE / 1e6 / seconds);
  }
}
const rateOf = ({ name }: Way): number => median(rates.get(name) ?? []);
const rows = [ENCRYPT, DECRYPT].flatMap((ways) => {
  const reference = rateOf(ways[0] as Way);
  return ways.map((way) => [
    way.name,
    rateOf(way).toFixed(0),
    (rateOf(way) / reference).toFixed(2),
  ]);
});
console.log(`node ${process.version}, ${SIZE / MIB} MiB, ${ROUNDS} rounds, medians\n`);
console.log(markdownTable(["", "MB/s", "of node:crypto"], rows));

const object = await storage.open("object");
const plain: FileHandle = await open(plainPath, "r");
const lines: string[][] = [];
for (const [title, length] of [
  ["1 KiB", 1024],
  ["64 KiB", 65_536],
  ["1 MiB", MIB],
] as const) {
  const encrypted: number[] = [];
  const bare: number[] = [];
  for (let i = 0; i < READS; i++) {
    const offset = Math.floor(Math.random() * (SIZE - length));
    const runs: [number[], () => Promise<unknown>][] = [
      [encrypted, () => object.read(offset, length)],
      [bare, () => plain.read(Buffer.allocUnsafeSlow(length), 0, length, offset)],
    ];
    for (const [samples, run] of i % 2 === 0 ? runs : runs.toReversed()) {
      const start = process.hrtime.bigint();
      await run();
      samples.push(Number(process.hrtime.bigint() - start) / 1000);
    }
  }
  const at = (samples: number[], share: number): number =>
    samples.toSorted((a, b) => a - b)[Math.floor(share * (samples.length - 1))] ?? 0;
  lines.push([
    title,
    ...[at(encrypted, 0.5), at(encrypted, 0.99), at(bare, 0.5), at(bare, 0.99)].map((us) =>
      us.toFixed(0),
    ),
    (at(encrypted, 0.5) / at(bare, 0.5)).toFixed(2),
  ]);
}
console.log(`\nRanged reads of an open object at random places, ${READS} each, microseconds\n`);
console.log(markdownTable(["", "p50", "p99", "plain file p50", "p99", "p50 ratio"], lines));
await object.close();
await plain.close();
await rm(folder, { recursive: true, force: true });

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, order: Math.random() }))
    .toSorted((a, b) => a.order - b.order)
    .map(({ item }) => item);
}
