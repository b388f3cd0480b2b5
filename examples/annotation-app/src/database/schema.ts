// The tables, in the order in which they came to be. An entry that was released is never changed; a new one follows.
import { QueryTypes, type Sequelize } from "sequelize";
import { SequelizeStorage, Umzug } from "umzug";

/** Encrypted columns are TEXT: envelopes, and before the first re-encryption plaintext of an older application. */
const STEPS: readonly { readonly name: string; readonly sql: string }[] = [
  {
    name: "0001-ingest",
    sql: `
      CREATE TABLE frame (
        id uuid PRIMARY KEY,
        name text NOT NULL,
        camera text NOT NULL,
        captured_at timestamptz NOT NULL,
        width integer NOT NULL,
        height integer NOT NULL
      );
      CREATE INDEX frame_captured_at ON frame (captured_at);
      CREATE INDEX frame_camera ON frame (camera);
      CREATE TABLE frame_data (
        frame_id uuid PRIMARY KEY REFERENCES frame ON DELETE CASCADE,
        picture text NOT NULL,
        thumbnail text,
        metadata text NOT NULL
      );
      CREATE TABLE video (
        id uuid PRIMARY KEY,
        name text NOT NULL,
        camera text NOT NULL,
        recorded_at timestamptz NOT NULL,
        duration_seconds double precision NOT NULL,
        size_bytes integer NOT NULL,
        clip text NOT NULL
      );
      CREATE TABLE event_detection (
        id uuid PRIMARY KEY,
        frame_id uuid REFERENCES frame ON DELETE CASCADE,
        video_id uuid REFERENCES video ON DELETE CASCADE,
        start_seconds double precision,
        end_seconds double precision,
        severity text NOT NULL,
        label text NOT NULL,
        score text NOT NULL,
        box text,
        CHECK ((frame_id IS NULL) <> (video_id IS NULL))
      );
      CREATE INDEX event_detection_frame ON event_detection (frame_id);
      CREATE INDEX event_detection_video ON event_detection (video_id, start_seconds);`,
  },
  {
    name: "0002-annotate",
    sql: `
      CREATE TABLE frame_review (
        frame_id uuid PRIMARY KEY REFERENCES frame ON DELETE CASCADE,
        version integer NOT NULL,
        is_reviewed boolean NOT NULL,
        saved_by text,
        saved_at timestamptz
      );
      CREATE TABLE annotation_example (
        id uuid PRIMARY KEY,
        frame_id uuid NOT NULL REFERENCES frame ON DELETE CASCADE,
        position integer NOT NULL,
        label text NOT NULL,
        label_index text,
        box text NOT NULL,
        original_detection text,
        confidence text,
        note text
      );
      CREATE INDEX annotation_example_frame ON annotation_example (frame_id, position);
      CREATE INDEX annotation_example_label ON annotation_example (label_index);
      CREATE TABLE label (
        id uuid PRIMARY KEY,
        name text NOT NULL UNIQUE,
        position integer NOT NULL
      );
      CREATE TABLE activity (
        id bigint PRIMARY KEY,
        at timestamptz NOT NULL,
        user_name text NOT NULL,
        action text NOT NULL,
        detail text NOT NULL,
        hash bytea NOT NULL
      );
      CREATE TABLE retry_job (
        id uuid PRIMARY KEY,
        kind text NOT NULL,
        payload text NOT NULL,
        attempts integer NOT NULL,
        next_at timestamptz NOT NULL,
        last_error text
      );
      CREATE INDEX retry_job_next ON retry_job (next_at);`,
  },
  {
    name: "0003-accounts",
    sql: `
      CREATE TABLE account (
        id uuid PRIMARY KEY,
        name text NOT NULL UNIQUE,
        role text NOT NULL,
        password_hash text NOT NULL
      );
      CREATE TABLE session (
        token_hash bytea PRIMARY KEY,
        account_id uuid NOT NULL REFERENCES account ON DELETE CASCADE,
        expires_at timestamptz NOT NULL
      );`,
  },
  {
    name: "0004-rotation",
    sql: `
      CREATE TABLE rotation (
        id integer PRIMARY KEY CHECK (id = 1),
        state text NOT NULL,
        failures integer NOT NULL,
        done_tables text[] NOT NULL
      );`,
  },
  {
    name: "0005-rotation-figures",
    sql: `
      ALTER TABLE rotation
        ADD COLUMN total integer NOT NULL DEFAULT 0,
        ADD COLUMN worked_ms bigint NOT NULL DEFAULT 0;`,
  },
  {
    name: "0006-rotation-done",
    sql: "ALTER TABLE rotation ADD COLUMN done integer NOT NULL DEFAULT 0;",
  },
];

/** Brings the database to the newest entry. @returns the names of the entries that were new to it */
export async function applySchema(sequelize: Sequelize): Promise<string[]> {
  const umzug = new Umzug({
    migrations: STEPS.map(({ name, sql }) => ({
      name,
      up: async () =>
        sequelize.transaction(async (transaction) => {
          await sequelize.query(sql, { type: QueryTypes.RAW, transaction });
        }),
    })),
    context: {},
    storage: new SequelizeStorage({ sequelize, tableName: "schema_step", timestamps: true }),
    logger: undefined,
  });
  const applied = await umzug.up();
  return applied.map(({ name }) => name);
}
