// How a test says that it cannot run here, and why. The reporter prints the reasons.

/**
 * Skips the test, or from a `before` hook its whole suite. In CI, where nothing may be missing, that is a failure.
 *
 * @example if (!existsSync("/usr/bin/chromium")) skip(this, "chromium is not installed");
 */
export function skip(context: Mocha.Context, reason: string): never {
  const runnable = context.runnable() as Mocha.Runnable & { type?: string };
  const skipped: object | undefined = runnable.type === "hook" ? runnable.parent : runnable;
  Object.assign(skipped ?? {}, { skipReason: reason });
  return context.skip();
}
