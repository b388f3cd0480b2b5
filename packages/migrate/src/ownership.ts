// Whose the engine's own tables and functions are. Whoever owns one can make it do anything with the rights of the role that
// uses it: a role that may create schemas or functions could have made these beforehand, to be given the migrator's rights.
import { MigrationError } from "@fieldseal/crypto";
import type { ClientBase, Pool } from "pg";

/**
 * Trusted are this role, superusers, and the roles whose rights this one has by membership. A superuser has the rights of
 * everybody without being a member: there, only memberships count that somebody has granted.
 */
const TRUSTED = `trusted AS (
    WITH RECURSIVE own AS (
      SELECT oid, rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user
    ), granted AS (
      SELECT oid FROM own
      UNION SELECT roleid FROM pg_catalog.pg_auth_members JOIN granted ON member = granted.oid
    )
    SELECT r.oid FROM pg_catalog.pg_roles r, own
    WHERE r.rolsuper OR CASE WHEN own.rolsuper THEN r.oid IN (SELECT oid FROM granted)
      ELSE pg_catalog.pg_has_role(r.oid, 'USAGE') END
  )`;

/** Everything that has an owner and can run code: the schema, tables and views, functions, and functions of triggers. */
const OBJECTS = `objects AS (
    SELECT 1 AS rank, 'schema' AS kind, 'fieldseal' AS name, nspowner AS owner
    FROM pg_catalog.pg_namespace WHERE nspname = 'fieldseal'
    UNION ALL SELECT 2, CASE relkind WHEN 'v' THEN 'view' ELSE 'table' END, 'fieldseal.' || relname, relowner
    FROM pg_catalog.pg_class WHERE relnamespace = pg_catalog.to_regnamespace('fieldseal') AND relkind IN ('r', 'p', 'v', 'm', 'f')
    UNION ALL SELECT 3, 'function', 'fieldseal.' || proname, proowner
    FROM pg_catalog.pg_proc WHERE pronamespace = pg_catalog.to_regnamespace('fieldseal')
    UNION ALL SELECT 4, 'function', p.oid::pg_catalog.regproc::text, proowner
    FROM pg_catalog.pg_trigger JOIN pg_catalog.pg_class c ON c.oid = tgrelid JOIN pg_catalog.pg_proc p ON p.oid = tgfoid
    WHERE relnamespace = pg_catalog.to_regnamespace('fieldseal') AND NOT tgisinternal
  )`;

/** @throws {@link MigrationError} `ERR_MIGRATE_STATE` when a part of the journal belongs to somebody else */
export async function refuseForeignJournal(client: ClientBase | Pool): Promise<void> {
  const { rows } = await client.query<Record<"kind" | "name" | "owner" | "role", string>>(
    `WITH ${TRUSTED}, ${OBJECTS}
     SELECT kind, name, pg_catalog.pg_get_userbyid(owner) AS owner, current_user AS role FROM objects
     WHERE owner NOT IN (SELECT oid FROM trusted) ORDER BY rank, name LIMIT 1`,
  );
  const [foreign] = rows;
  if (foreign === undefined) return;
  const { kind, name, owner, role } = foreign;
  throw new MigrationError(
    "ERR_MIGRATE_STATE",
    `The ${kind} ${name}, in which the engine keeps its progress, belongs to role "${owner}", who could have it do anything ` +
      `with the rights of "${role}". If you know how it came to be, run as "${owner}", or GRANT "${owner}" TO "${role}"; ` +
      "otherwise look at what is in it, and DROP SCHEMA fieldseal CASCADE.",
  );
}

/** @throws {@link MigrationError} `ERR_MIGRATE_STATE` when a function that is to be replaced would stay somebody else's */
export async function refuseForeignFunction(client: ClientBase, name: string): Promise<void> {
  const { rows } = await client.query<{ owner: string }>(
    `WITH ${TRUSTED} SELECT pg_catalog.pg_get_userbyid(proowner) AS owner FROM pg_catalog.pg_proc
     WHERE oid = pg_catalog.to_regprocedure($1) AND proowner NOT IN (SELECT oid FROM trusted)`,
    [`${name}()`],
  );
  const [foreign] = rows;
  if (foreign === undefined) return;
  throw new MigrationError(
    "ERR_MIGRATE_STATE",
    `The function ${name}, which is to guard the table, belongs to role "${foreign.owner}", who could have it do anything ` +
      `with the rights of whoever writes to the table. DROP FUNCTION ${name}(), or run as "${foreign.owner}".`,
  );
}
