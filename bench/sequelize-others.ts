// The two npm packages that encrypt Sequelize columns, set up as their documentation says.
import { randomBytes } from "node:crypto";
import { DataTypes, type Model, type ModelStatic, Sequelize } from "sequelize";

/** AES-256-CBC without authentication, all fields of a row in one BLOB "vault". */
export function sequelizeEncryptedModel(
  load: NodeJS.Require,
  sequelize: Sequelize,
): ModelStatic<Model> {
  const encrypted = load("sequelize-encrypted") as (
    library: typeof Sequelize,
    key: string,
  ) => { vault(name: string): object; field(name: string): object };
  const fields = encrypted(Sequelize, randomBytes(32).toString("hex"));
  const attributes = { vault: fields.vault("vault"), value0: fields.field("value0") };
  return sequelize.define("Vault1", attributes as never);
}

/** AES-CBC and HMAC, in hooks on a virtual attribute. */
export function keyringModel(load: NodeJS.Require, sequelize: Sequelize): ModelStatic<Model> {
  const keyring = load("@fnando/keyring/sequelize") as (model: unknown, options: object) => void;
  const model = sequelize.define("Keyring1", {
    value0: DataTypes.VIRTUAL,
    encrypted_value0: DataTypes.TEXT,
    value0_digest: DataTypes.TEXT,
    keyring_id: DataTypes.INTEGER,
  });
  const options = {
    keys: { 1: randomBytes(64).toString("base64") },
    columns: ["value0"],
    encryption: "aes-256-cbc",
    digestSalt: "salt",
  };
  keyring(model, options);
  return model;
}
