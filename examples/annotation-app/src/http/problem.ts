// A refusal with a sentence for people. Its message is sent as it is, so it never holds more than the asker knows.
export class Problem extends Error {
  override readonly name = "Problem";
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export function notFound(what: string): Problem {
  return new Problem(404, "NOT_FOUND", `This ${what} does not exist, or not any more.`);
}
