// Who did what, when. The detail is encrypted; each entry's hash covers the one before, so that a changed or missing
// entry shows. Cutting off the newest entries does not show: for that, keep the last hash somewhere else.
import { createHash, randomBytes } from "node:crypto";
import { Op, QueryTypes, type Transaction } from "sequelize";
import type { Database } from "../database/database.ts";
import type { ActivityRow } from "../database/models.ts";
import type { ActivityEntry, ActivityPage } from "../../web/src/data/contract.ts";

/** Any number that nothing else in this database locks. */
const CHAIN_LOCK = 7_240_117;
const PAGE = 100;

export class ActivityLog {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async append(user: string, action: string, text: string): Promise<void> {
    const { sequelize, models } = this.#database;
    await sequelize.transaction(async (transaction) => {
      await sequelize.query("SELECT pg_advisory_xact_lock($1)", {
        bind: [CHAIN_LOCK],
        type: QueryTypes.SELECT,
        transaction,
      });
      const last = await this.#last(transaction);
      const detail = { text, salt: randomBytes(16).toString("base64") };
      const entry = { id: (last?.id ?? 0) + 1, at: new Date(), userName: user, action, detail };
      const hash = hashOf(entry, last?.hash);
      await models.Activity.create({ ...entry, hash }, { transaction });
    });
  }

  /** The newest entries with an id below `before`; each is checked against the one before it. */
  async page(before: number | undefined): Promise<ActivityPage> {
    const rows = await this.#database.models.Activity.findAll({
      where: before === undefined ? {} : { id: { [Op.lt]: before } },
      order: [["id", "DESC"]],
      limit: PAGE + 1,
    });
    const entries = rows.map((row, i) => entryOf(row, rows[i + 1]));
    const shown = entries.slice(0, PAGE);
    return { entries: shown, nextBefore: rows.length > PAGE ? (shown.at(-1)?.id ?? null) : null };
  }

  async #last(transaction: Transaction): Promise<{ id: number; hash: Buffer } | undefined> {
    const row = await this.#database.models.Activity.findOne({
      attributes: ["id", "hash"],
      order: [["id", "DESC"]],
      transaction,
    });
    return row ? { id: Number(row.id), hash: row.hash } : undefined;
  }
}

function entryOf(row: ActivityRow, previous: ActivityRow | undefined): ActivityEntry {
  const { at, userName, action, detail, hash } = row;
  const id = Number(row.id);
  const isLinked = id === 1 ? previous === undefined : Number(previous?.id) === id - 1;
  return {
    id,
    at: at.toISOString(),
    user: userName,
    action,
    detail: detail.text,
    isIntact: isLinked && hashOf({ id, at, userName, action, detail }, previous?.hash).equals(hash),
  };
}

/** Over what the values mean, not over their ciphertext: a key rotation leaves the chain as it is. */
function hashOf(entry: Omit<ActivityRow, "hash">, previous: Buffer | undefined): Buffer {
  const { id, at, userName, action, detail } = entry;
  const fields = [id, at.toISOString(), userName, action, detail.text, detail.salt];
  return createHash("sha256")
    .update(previous ?? Buffer.alloc(32))
    .update(JSON.stringify(fields))
    .digest();
}
