// The tables that the annotate service writes, and the accounts, as Sequelize models; and those of the ingest service
// that it reads.
import { EncryptedJSONType, EncryptedType } from "@fieldseal/sequelize";
import { DataTypes, type Model, type ModelStatic, type Sequelize } from "sequelize";
import { CAMERA, LABEL, type PlaintextMode } from "./column-options.ts";

export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A detector's box, kept beside what people made of it. */
export interface Detection extends Rectangle {
  readonly label: string;
  readonly score: number;
}

/** The rectangle names the row it was drawn for: an envelope is bound to its column, and this binds it to the row. */
export interface OwnedRectangle extends Rectangle {
  readonly of: string;
}

export interface AnnotationExampleRow {
  id: string;
  frameId: string;
  position: number;
  label: string;
  box: OwnedRectangle;
  originalDetection: Detection | null;
  confidence: number | null;
  note: string | null;
}

export interface FrameReviewRow {
  frameId: string;
  version: number;
  isReviewed: boolean;
  savedBy: string | null;
  savedAt: Date | null;
}

/** The labels that were ever used, in the order in which they came: their place is their colour. */
export interface LabelRow {
  id: string;
  name: string;
  position: number;
}

/** `salt` keeps the hash of an entry from being guessed; it is as secret as the text. */
export interface ActivityDetail {
  readonly text: string;
  readonly salt: string;
}

export interface ActivityRow {
  /** Read as text: a bigint. */
  id: number | string;
  at: Date;
  userName: string;
  action: string;
  detail: ActivityDetail;
  hash: Buffer;
}

export interface RetryJobRow {
  id: string;
  kind: string;
  payload: Readonly<Record<string, string>>;
  attempts: number;
  nextAt: Date;
  lastError: string | null;
}

export interface AccountRow {
  id: string;
  name: string;
  role: "viewer" | "annotator";
  passwordHash: string;
}

export interface SessionRow {
  tokenHash: Buffer;
  accountId: string;
  expiresAt: Date;
}

export interface FrameRow {
  id: string;
  name: string;
  camera: string;
  capturedAt: Date;
  width: number;
  height: number;
}

export interface FrameDataRow {
  frameId: string;
  metadata: Readonly<Record<string, string>>;
}

export interface EventDetectionRow {
  id: string;
  frameId: string | null;
  label: string;
  score: number;
  box: Rectangle | null;
}

type Row<Attributes extends object> = Model<Attributes, Attributes> & Attributes;
type Table<Attributes extends object> = ModelStatic<Row<Attributes>>;

export interface Models {
  readonly AnnotationExample: Table<AnnotationExampleRow>;
  readonly FrameReview: Table<FrameReviewRow>;
  readonly Label: Table<LabelRow>;
  readonly Activity: Table<ActivityRow>;
  readonly RetryJob: Table<RetryJobRow>;
  readonly Account: Table<AccountRow>;
  readonly Session: Table<SessionRow>;
  readonly Frame: Table<FrameRow>;
  readonly FrameData: Table<FrameDataRow>;
  readonly EventDetection: Table<EventDetectionRow>;
}

export function defineModels(sequelize: Sequelize, plaintext: PlaintextMode): Models {
  return {
    ...defineAnnotation(sequelize, plaintext),
    ...defineWork(sequelize, plaintext),
    ...defineAccounts(sequelize, plaintext),
    ...defineIngested(sequelize, plaintext),
  };
}

/** Made anew for each table: Sequelize writes into what it is given. */
function id(): { type: typeof DataTypes.UUID; primaryKey: true } {
  return { type: DataTypes.UUID, primaryKey: true };
}

function table(name: string): { tableName: string; timestamps: false; underscored: true } {
  return { tableName: name, timestamps: false, underscored: true };
}

function defineAnnotation(
  sequelize: Sequelize,
  plaintext: PlaintextMode,
): Pick<Models, "AnnotationExample" | "FrameReview" | "Label"> {
  const text = EncryptedType({ plaintext });
  const json = EncryptedJSONType({ plaintext });
  return {
    AnnotationExample: sequelize.define<Row<AnnotationExampleRow>>(
      "AnnotationExample",
      {
        id: id(),
        frameId: { type: DataTypes.UUID, allowNull: false },
        position: { type: DataTypes.INTEGER, allowNull: false },
        label: { type: EncryptedType({ ...LABEL, plaintext }), allowNull: false },
        box: { type: json, allowNull: false },
        originalDetection: json,
        confidence: json,
        note: text,
      },
      table("annotation_example"),
    ),
    FrameReview: sequelize.define<Row<FrameReviewRow>>(
      "FrameReview",
      {
        frameId: id(),
        version: { type: DataTypes.INTEGER, allowNull: false },
        isReviewed: { type: DataTypes.BOOLEAN, allowNull: false },
        savedBy: text,
        savedAt: DataTypes.DATE,
      },
      table("frame_review"),
    ),
    Label: sequelize.define<Row<LabelRow>>(
      "Label",
      {
        id: id(),
        name: { type: EncryptedType({ deterministic: true, plaintext }), allowNull: false },
        position: { type: DataTypes.INTEGER, allowNull: false },
      },
      table("label"),
    ),
  };
}

function defineWork(
  sequelize: Sequelize,
  plaintext: PlaintextMode,
): Pick<Models, "Activity" | "RetryJob"> {
  const text = EncryptedType({ plaintext });
  const json = EncryptedJSONType({ plaintext });
  return {
    Activity: sequelize.define<Row<ActivityRow>>(
      "Activity",
      {
        id: { type: DataTypes.BIGINT, primaryKey: true },
        at: { type: DataTypes.DATE, allowNull: false },
        userName: { type: text, allowNull: false },
        action: { type: DataTypes.TEXT, allowNull: false },
        detail: { type: json, allowNull: false },
        hash: { type: DataTypes.BLOB, allowNull: false },
      },
      table("activity"),
    ),
    RetryJob: sequelize.define<Row<RetryJobRow>>(
      "RetryJob",
      {
        id: id(),
        kind: { type: DataTypes.TEXT, allowNull: false },
        payload: { type: json, allowNull: false },
        attempts: { type: DataTypes.INTEGER, allowNull: false },
        nextAt: { type: DataTypes.DATE, allowNull: false },
        lastError: text,
      },
      table("retry_job"),
    ),
  };
}

function defineAccounts(
  sequelize: Sequelize,
  plaintext: PlaintextMode,
): Pick<Models, "Account" | "Session"> {
  return {
    Account: sequelize.define<Row<AccountRow>>(
      "Account",
      {
        id: id(),
        name: { type: EncryptedType({ deterministic: true, plaintext }), allowNull: false },
        role: { type: DataTypes.TEXT, allowNull: false },
        passwordHash: { type: DataTypes.TEXT, allowNull: false },
      },
      table("account"),
    ),
    Session: sequelize.define<Row<SessionRow>>(
      "Session",
      {
        tokenHash: { type: DataTypes.BLOB, primaryKey: true },
        accountId: { type: DataTypes.UUID, allowNull: false },
        expiresAt: { type: DataTypes.DATE, allowNull: false },
      },
      table("session"),
    ),
  };
}

/** Written by the ingest service through MikroORM; here only what is read. */
function defineIngested(
  sequelize: Sequelize,
  plaintext: PlaintextMode,
): Pick<Models, "Frame" | "FrameData" | "EventDetection"> {
  const text = EncryptedType({ plaintext });
  const json = EncryptedJSONType({ plaintext });
  return {
    Frame: sequelize.define<Row<FrameRow>>(
      "Frame",
      {
        id: id(),
        name: { type: text, allowNull: false },
        camera: { type: EncryptedType({ ...CAMERA, plaintext }), allowNull: false },
        capturedAt: { type: DataTypes.DATE, allowNull: false },
        width: { type: DataTypes.INTEGER, allowNull: false },
        height: { type: DataTypes.INTEGER, allowNull: false },
      },
      table("frame"),
    ),
    FrameData: sequelize.define<Row<FrameDataRow>>(
      "FrameData",
      { frameId: id(), metadata: { type: json, allowNull: false } },
      table("frame_data"),
    ),
    EventDetection: sequelize.define<Row<EventDetectionRow>>(
      "EventDetection",
      {
        id: id(),
        frameId: DataTypes.UUID,
        label: { type: text, allowNull: false },
        score: { type: json, allowNull: false },
        box: json,
      },
      table("event_detection"),
    ),
  };
}
