// Turns for decoding pictures. One of 50 million pixels takes 200 MB meanwhile, and each occupies one of the few threads
// that files and passwords need, too: of twenty that are dropped on the page at once, two are decoded and the rest wait.

const MOST = 2;

let running = 0;
const waiting: (() => void)[] = [];

/** Does `work` when it is its turn; first come, first served. */
export async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running < MOST) running += 1;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  try {
    return await work();
  } finally {
    // Who waits gets the place itself, so that nobody who comes now is before them.
    const next = waiting.shift();
    if (next) next();
    else running -= 1;
  }
}
