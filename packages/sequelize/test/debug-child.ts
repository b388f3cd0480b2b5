// Run by leaks.test.ts with DEBUG=*, in a process of its own: Sequelize reads that variable when it is loaded.
import { Keyring } from "@fieldseal/crypto";
import { Sequelize } from "sequelize";
import { fieldseal } from "../src/index.ts";
import { ADA, defineModels } from "./models.ts";

const [url, key, marker] = process.argv.slice(2) as [string, string, string];
const sequelize = new Sequelize(url, {
  dialect: "postgres",
  logQueryParameters: true,
  benchmark: true,
});
fieldseal(sequelize, { keyring: Keyring.fromKey(key) });
const { User } = defineModels(sequelize, "encrypted", {
  blindIndex: { column: "email_index", bits: 12, normalize: "email" },
});
const email = `debug-${marker}@example.org`;
const user = await User.create({ ...ADA, email });
await User.bulkCreate([{ ...ADA, email }]);
await User.upsert({ ...ADA, id: user.id, email });
await User.findOrCreate({ where: { email } });
await User.update({ profile: { city: marker } }, { where: { email }, returning: true });
await User.findAll({ where: { email }, include: ["posts"] });
await User.create({ ...ADA, email: marker }).catch(() => {});
await User.destroy({ where: { email }, force: true });
await sequelize.close();
