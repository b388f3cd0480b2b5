// Preloaded by tests into the command: says on its standard error when an ORM is loaded, which takes most of a start.
import { registerHooks } from "node:module";

registerHooks({
  resolve(specifier, context, next) {
    if (specifier === "sequelize" || specifier === "@mikro-orm/core") {
      process.stderr.write(`loads ${specifier}\n`);
    }
    return next(specifier, context);
  },
});
