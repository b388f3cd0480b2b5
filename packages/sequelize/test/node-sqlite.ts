// As much of the `sqlite3` package's interface as Sequelize uses, over node:sqlite: its native build would have to
// be downloaded or compiled.
import { DatabaseSync } from "node:sqlite";

type Callback = (
  this: { lastID?: number; changes?: number },
  error: Error | null,
  rows?: unknown,
) => void;

export const OPEN_READWRITE = 2;
export const OPEN_CREATE = 4;
export const OPEN_FULLMUTEX = 0x10000;

export class Database {
  readonly #database: DatabaseSync;

  constructor(file: string, _mode: number, opened: (error: Error | null) => void) {
    this.#database = new DatabaseSync(file);
    setImmediate(() => opened(null));
  }

  serialize(action: () => void): void {
    action();
  }

  run(sql: string, ...rest: unknown[]): void {
    this.#execute(sql, rest, (statement, parameters) => {
      const { lastInsertRowid, changes } = statement.run(...parameters);
      return {
        self: { lastID: Number(lastInsertRowid), changes: Number(changes) },
        rows: undefined,
      };
    });
  }

  all(sql: string, ...rest: unknown[]): void {
    this.#execute(sql, rest, (statement, parameters) => ({
      self: {},
      rows: statement.all(...parameters),
    }));
  }

  close(closed: (error: Error | null) => void): void {
    this.#database.close();
    closed(null);
  }

  #execute(
    sql: string,
    rest: readonly unknown[],
    act: (
      statement: ReturnType<DatabaseSync["prepare"]>,
      parameters: never[],
    ) => { self: object; rows: unknown },
  ): void {
    const callback = rest.findLast((item) => typeof item === "function") as Callback | undefined;
    const bound = rest.filter((item) => typeof item !== "function" && item !== undefined);
    const parameters = (Array.isArray(bound[0]) ? bound[0] : bound) as never[];
    try {
      const { self, rows } = act(this.#database.prepare(sql), parameters);
      setImmediate(() => callback?.call(self, null, rows));
    } catch (error) {
      setImmediate(() => callback?.call({}, error as Error));
    }
  }
}
