// Text to stored text and back: this library, node:crypto by hand, and other packages, in one run.
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import {
  ColumnCipher,
  generateRootKey,
  Keyring,
  textCodec,
  type SuiteName,
} from "@fieldseal/crypto";
import { markdownTable, measureInterleaved, type Measurement } from "./interleaved.ts";
import { usualGcm, wellWrittenGcm, type TextCipher } from "./node-gcm.ts";
import { otherLibraries } from "./other-libraries.ts";

const SIZES = [16, 64, 256, 1024, 4096, 65536];
const BASELINE = "node:crypto AES-256-GCM, written well";
const BATCH = 100;

const keyring = Keyring.fromKey(generateRootKey());
const cipher = (suite: SuiteName): ColumnCipher<string> =>
  new ColumnCipher({
    codec: textCodec,
    label: "User.email",
    options: { suite, deterministic: suite === "A256SIV" },
    defaultContext: { table: "users", column: "email" },
    defaultKeyring: keyring,
  });
const column = (suite: SuiteName): TextCipher => {
  const own = cipher(suite);
  return { encrypt: (text) => own.seal(text) as string, decrypt: (stored) => own.open(stored) };
};

const candidates: Record<
  string,
  { readonly isAuthenticated: boolean; readonly cipher: TextCipher }
> = {
  "**fieldseal A256CBC-HS256** (default)": {
    isAuthenticated: true,
    cipher: column("A256CBC-HS256"),
  },
  "fieldseal A256CBC-HS512": { isAuthenticated: true, cipher: column("A256CBC-HS512") },
  "fieldseal A256GCM": { isAuthenticated: true, cipher: column("A256GCM") },
  "fieldseal A256SIV (deterministic)": { isAuthenticated: true, cipher: column("A256SIV") },
  [BASELINE]: { isAuthenticated: true, cipher: wellWrittenGcm(randomBytes(32), "users.email") },
  "node:crypto AES-256-GCM, as usual": { isAuthenticated: true, cipher: usualGcm(randomBytes(32)) },
  ...otherLibraries(createRequire(import.meta.url)),
};

const text = (lengthBytes: number): string =>
  randomBytes(lengthBytes).toString("hex").slice(0, lengthBytes);
const results = new Map(SIZES.map((size) => [size, measureSize(text(size))]));
console.log(
  `node ${process.version}, OpenSSL ${process.versions.openssl}; ns per operation, median (p10)\n`,
);
for (const direction of ["encrypt", "decrypt"] as const) printTable(direction);
printBatches();

function measureSize(value: string): Record<string, Measurement> {
  const cases: Record<string, () => unknown> = {};
  for (const [name, { cipher: one }] of Object.entries(candidates)) {
    const stored = one.encrypt(value);
    if (one.decrypt(stored) !== value) throw new Error(`${name} does not give the value back.`);
    cases[`encrypt ${name}`] = () => one.encrypt(value);
    cases[`decrypt ${name}`] = () => one.decrypt(stored);
  }
  return measureInterleaved(cases);
}

function printTable(direction: "encrypt" | "decrypt"): void {
  const at = (size: number, name: string): Measurement | undefined =>
    results.get(size)?.[`${direction} ${name}`];
  const rows = Object.entries(candidates).map(([name, { isAuthenticated }]) => [
    name,
    isAuthenticated ? "yes" : "no",
    ...SIZES.map((size) => format(at(size, name))),
    ratio(at(64, name), at(64, BASELINE)),
  ]);
  const sizes = SIZES.map((size) => (size < 1024 ? `${size} B` : `${size / 1024} KiB`));
  console.log(`### ${direction}\n`);
  console.log(
    markdownTable([direction, "authenticated", ...sizes, "at 64 B, of written well"], rows),
    "\n",
  );
}

/** Whole columns: what adapters use for results and bulk inserts. */
function printBatches(): void {
  const own = cipher("A256CBC-HS256");
  const gcm = wellWrittenGcm(randomBytes(32), "users.email");
  const values = Array.from({ length: BATCH }, () => text(64));
  const stored = own.sealMany(values);
  const storedGcm = values.map((value) => gcm.encrypt(value));
  const measured = measureInterleaved({
    "fieldseal sealMany": () => own.sealMany(values),
    "fieldseal seal, one by one": () => values.map((value) => own.seal(value)),
    "written well, encrypt": () => values.map((value) => gcm.encrypt(value)),
    "fieldseal openMany": () => own.openMany(stored),
    "fieldseal open, one by one": () => stored.map((value) => own.open(value as string)),
    "written well, decrypt": () => storedGcm.map((value) => gcm.decrypt(value)),
  });
  const rows = Object.entries(measured).map(([name, { medianNs, p10Ns }]) => [
    name,
    format({ medianNs: medianNs / BATCH, p10Ns: p10Ns / BATCH }),
  ]);
  console.log(`### ${BATCH} values of 64 B at a time, ns per value\n`);
  console.log(markdownTable(["", "default suite"], rows));
}

function format(measured: Measurement | undefined): string {
  return measured ? `${measured.medianNs.toFixed(0)} (${measured.p10Ns.toFixed(0)})` : "";
}

function ratio(measured: Measurement | undefined, baseline: Measurement | undefined): string {
  if (!measured || !baseline) return "";
  const median = (measured.medianNs / baseline.medianNs).toFixed(2);
  return `${median} (${(measured.p10Ns / baseline.p10Ns).toFixed(2)})`;
}
