// Who may sign in. Passwords are kept as scrypt hashes; names are encrypted, and found by equality.
import { randomBytes, randomUUID, scrypt, timingSafeEqual } from "node:crypto";
import type { AccountRow, Models } from "../database/models.ts";

export type Role = AccountRow["role"];

export interface NewAccount {
  readonly name: string;
  readonly password: string;
  readonly role: Role;
}

/** Of a development server, which shows them on its sign-in page. */
export const DEMO_ACCOUNTS: readonly NewAccount[] = [
  { name: "Ada", password: "annotate", role: "annotator" },
  { name: "Vera", password: "view", role: "viewer" },
];

/** 64 MB and about a tenth of a second for each guess. @see OWASP Password Storage Cheat Sheet, scrypt */
const COST = { N: 2 ** 16, r: 8, p: 1, maxmem: 96 * 1024 * 1024 };
const HASH_BYTES = 32;

/**
 * Creates the account, or gives an existing one of this name the password and role. With another password its sessions end:
 * somebody else may know the old one.
 */
export async function putAccount({ Account, Session }: Models, account: NewAccount): Promise<void> {
  const { name, role, password } = account;
  const found = await Account.findOne({ where: { name } });
  if (found && (await verify(password, found.passwordHash))) {
    await found.update({ role });
    return;
  }
  const passwordHash = await hash(password);
  const [row, isNew] = await Account.findOrCreate({
    where: { name },
    defaults: { id: randomUUID(), name, role, passwordHash },
  });
  if (isNew) return;
  await row.update({ role, passwordHash });
  await Session.destroy({ where: { accountId: row.id } });
}

export async function hasAccounts({ Account }: Models): Promise<boolean> {
  return (await Account.count()) > 0;
}

export async function isAccount({ Account }: Models, name: string): Promise<boolean> {
  return (await Account.count({ where: { name } })) > 0;
}

/** The account whose name and password these are. An unknown name takes as long as a wrong password. */
export async function authenticate(
  { Account }: Models,
  name: string,
  password: string,
): Promise<AccountRow | undefined> {
  const account = await Account.findOne({ where: { name } });
  const stored = account?.passwordHash ?? `${"00".repeat(16)}:${"00".repeat(HASH_BYTES)}`;
  const isRight = await verify(password, stored);
  return account && isRight ? account : undefined;
}

async function hash(password: string): Promise<string> {
  const salt = randomBytes(16);
  return `${salt.toString("hex")}:${(await derive(password, salt)).toString("hex")}`;
}

async function verify(password: string, stored: string): Promise<boolean> {
  const [salt = "", expected = ""] = stored.split(":");
  const derived = await derive(password, Buffer.from(salt, "hex"));
  const expectedBytes = Buffer.from(expected, "hex");
  return expectedBytes.length === derived.length && timingSafeEqual(derived, expectedBytes);
}

function derive(password: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password.normalize("NFC"), salt, HASH_BYTES, COST, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}
