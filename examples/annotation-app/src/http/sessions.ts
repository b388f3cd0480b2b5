// Sessions: a random token in a cookie, its hash in the database. Signing out ends a session for every process.
import { createHash, randomBytes } from "node:crypto";
import { Op } from "sequelize";
import type { AccountRow, Models } from "../database/models.ts";
import type { Role } from "./accounts.ts";

export interface User {
  readonly name: string;
  readonly role: Role;
}

/** Who asks, signed in or not. */
export interface Visitor {
  readonly token: string;
  readonly user: User | null;
}

const TOKEN_PATTERN = /^[A-Za-z0-9_-]{43}$/;

export class Sessions {
  readonly #models: Models;
  readonly #hours: number;

  constructor(models: Models, hours: number) {
    this.#models = models;
    this.#hours = hours;
  }

  get maxAgeSeconds(): number {
    return Math.round(this.#hours * 3600);
  }

  /** The visitor of a cookie; one without or with a strange cookie gets a new token. */
  async visitorOf(cookie: string | undefined): Promise<Visitor> {
    if (cookie === undefined || !TOKEN_PATTERN.test(cookie)) {
      return { token: newToken(), user: null };
    }
    return { token: cookie, user: await this.#userOf(cookie) };
  }

  /** A new token, so that one planted before the sign-in is worth nothing after it. */
  async open(account: AccountRow): Promise<Visitor> {
    const { Session } = this.#models;
    await Session.destroy({ where: { expiresAt: { [Op.lt]: new Date() } } });
    const token = newToken();
    await Session.create({
      tokenHash: hashOf(token),
      accountId: account.id,
      expiresAt: new Date(Date.now() + this.maxAgeSeconds * 1000),
    });
    return { token, user: { name: account.name, role: account.role } };
  }

  async end({ token }: Visitor): Promise<Visitor> {
    await this.#models.Session.destroy({ where: { tokenHash: hashOf(token) } });
    return { token: newToken(), user: null };
  }

  async #userOf(token: string): Promise<User | null> {
    const { Session, Account } = this.#models;
    const session = await Session.findByPk(hashOf(token));
    if (!session || session.expiresAt.getTime() < Date.now()) return null;
    const account = await Account.findByPk(session.accountId);
    return account && { name: account.name, role: account.role };
  }
}

/** What changing requests must repeat in a header. Another site can neither read it nor compute it. */
export function csrfTokenOf({ token }: Visitor): string {
  return createHash("sha256").update(`csrf ${token}`).digest("base64url");
}

function newToken(): string {
  return randomBytes(32).toString("base64url");
}

function hashOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
