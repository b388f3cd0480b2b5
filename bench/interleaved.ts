// Measures several ways to do one thing in one process, in shuffled rounds, so that whatever else the machine
// does falls on all of them alike. Only ratios within one run mean something.

export interface Measurement {
  /** Nanoseconds per operation: the median over rounds. */
  readonly medianNs: number;
  /** The tenth percentile: the better estimate of an undisturbed cost on a busy machine. */
  readonly p10Ns: number;
}

export interface InterleavedOptions {
  /** Defaults to 41. */
  readonly rounds?: number;
  /** Length of one sample. Defaults to 3 ms. */
  readonly sampleMs?: number;
}

export function measureInterleaved<Name extends string>(
  cases: Readonly<Record<Name, () => unknown>>,
  { rounds = 41, sampleMs = 3 }: InterleavedOptions = {},
): Record<Name, Measurement> {
  const names = Object.keys(cases) as Name[];
  const samples = new Map(names.map((name) => [name, [] as number[]]));
  const repeats = new Map(names.map((name) => [name, repeatsFor(cases[name], sampleMs)]));
  for (let round = 0; round < rounds; round++) {
    for (const name of shuffled(names)) {
      const count = repeats.get(name) ?? 1;
      samples.get(name)?.push(timeNs(cases[name], count) / count);
    }
  }
  return Object.fromEntries(
    names.map((name) => [name, summarize(samples.get(name) ?? [])]),
  ) as Record<Name, Measurement>;
}

/** Warms up, then finds how many repeats fill a sample. */
function repeatsFor(action: () => unknown, sampleMs: number): number {
  let count = 1;
  for (let warm = 0; warm < 20;) {
    const ns = timeNs(action, count);
    if (ns < sampleMs * 1e6) count *= 2;
    else warm++;
  }
  return Math.max(1, Math.round(count / 2));
}

function timeNs(action: () => unknown, count: number): number {
  const start = process.hrtime.bigint();
  for (let i = 0; i < count; i++) action();
  return Number(process.hrtime.bigint() - start);
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, order: Math.random() }))
    .toSorted((a, b) => a.order - b.order)
    .map(({ item }) => item);
}

function summarize(samples: readonly number[]): Measurement {
  return { medianNs: median(samples), p10Ns: quantile(samples, 0.1) };
}

/** The sample below which this share of the others lies. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
}

/** Of an even number of samples, what lies between the two in the middle. */
export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  return (at((sorted.length - 1) >> 1) + at(sorted.length >> 1)) / 2;
}

/** A markdown table: first column left, the others right. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, i) => (i === 0 ? "---" : "--:"));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}
