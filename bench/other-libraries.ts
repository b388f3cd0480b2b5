// The packages that teams use today, each as its own documentation says to call it.
import { randomBytes } from "node:crypto";
import type { TextCipher } from "./node-gcm.ts";

export interface Candidate {
  readonly isAuthenticated: boolean;
  readonly cipher: TextCipher;
}

export function otherLibraries(load: NodeJS.Require): Record<string, Candidate> {
  return {
    "@47ng/cloak": { isAuthenticated: true, cipher: cloak(load) },
    "typeorm-encrypted (gcm)": { isAuthenticated: true, cipher: typeormEncrypted(load) },
    "@fnando/keyring (aes-256-cbc)": { isAuthenticated: true, cipher: keyring(load) },
    "encrypted-attr": { isAuthenticated: true, cipher: encryptedAttr(load) },
    "mongoose-field-encryption": { isAuthenticated: false, cipher: mongooseFieldEncryption(load) },
  };
}

function cloak(load: NodeJS.Require): TextCipher {
  const library = load("@47ng/cloak") as {
    generateKey(): string;
    parseKeySync(key: string): unknown;
    encryptStringSync(text: string, key: unknown): string;
    decryptStringSync(stored: string, key: unknown): string;
  };
  const key = library.parseKeySync(library.generateKey());
  return {
    encrypt: (text) => library.encryptStringSync(text, key),
    decrypt: (stored) => library.decryptStringSync(stored, key),
  };
}

function typeormEncrypted(load: NodeJS.Require): TextCipher {
  const { encryptData, decryptData } = load("typeorm-encrypted/lib/crypto.js") as Record<
    "encryptData" | "decryptData",
    (data: Buffer, options: object) => Buffer
  >;
  const key = randomBytes(32).toString("hex");
  const options = { key, algorithm: "aes-256-gcm", ivLength: 12, authTagLength: 16 };
  // As its EncryptionTransformer does.
  return {
    encrypt: (text) => encryptData(Buffer.from(text, "utf8"), options).toString("base64"),
    decrypt: (stored) => decryptData(Buffer.from(stored, "base64"), options).toString("utf8"),
  };
}

function keyring(load: NodeJS.Require): TextCipher {
  const library = load("@fnando/keyring") as {
    keyring(
      keys: object,
      options: object,
    ): {
      encrypt(text: string): [stored: string, keyId: number, digest: string];
      decrypt(stored: string, keyId: number): string;
    };
  };
  const keys = { 1: randomBytes(64).toString("base64") };
  const ring = library.keyring(keys, { encryption: "aes-256-cbc", digestSalt: "salt" });
  return { encrypt: (text) => ring.encrypt(text)[0], decrypt: (stored) => ring.decrypt(stored, 1) };
}

function encryptedAttr(load: NodeJS.Require): TextCipher {
  const create = load("encrypted-attr") as (
    attributes: readonly string[],
    options: object,
  ) => {
    encryptAttribute(owner: object, text: string): string;
    decryptAttribute(owner: object, stored: string): string;
  };
  const keys = { k1: randomBytes(32).toString("base64") };
  const attributes = create(["email"], { keys, keyId: "k1" });
  return {
    encrypt: (text) => attributes.encryptAttribute({}, text),
    decrypt: (stored) => attributes.decryptAttribute({}, stored),
  };
}

function mongooseFieldEncryption(load: NodeJS.Require): TextCipher {
  const library = load("mongoose-field-encryption") as {
    encrypt(text: string, secret: string, salt: () => Buffer): string;
    decrypt(stored: string, secret: string): string;
  };
  const secret = randomBytes(16).toString("hex"); // 32 characters, as the plugin makes of any secret
  return {
    encrypt: (text) => library.encrypt(text, secret, () => randomBytes(16)),
    decrypt: (stored) => library.decrypt(stored, secret),
  };
}
