// Users, posts and tags: the same models on encrypted and, as control, on plain columns.
import {
  DataTypes,
  type BelongsToManyAddAssociationMixin,
  type CreationOptional,
  type HasManyGetAssociationsMixin,
  type InferAttributes,
  type InferCreationAttributes,
  Model,
  type ModelStatic,
  type NonAttribute,
  type Sequelize,
} from "sequelize";
import type { EncryptionOptions } from "@fieldseal/crypto";
import { EncryptedBinaryType, EncryptedJSONType, EncryptedType } from "../src/index.ts";

export type Flavour = "encrypted" | "plain";

export interface Profile {
  city?: string;
  tags?: string[];
}

export class User extends Model<InferAttributes<User>, InferCreationAttributes<User>> {
  declare id: CreationOptional<number>;
  declare name: CreationOptional<string | null>;
  declare email: CreationOptional<string | null>;
  declare profile: CreationOptional<Profile | null>;
  declare avatar: CreationOptional<Buffer | null>;
  declare logins: CreationOptional<number>;
  declare shout: NonAttribute<string>;
  declare posts?: NonAttribute<Post[]>;
  declare getPosts: HasManyGetAssociationsMixin<Post>;
}

export class Post extends Model<InferAttributes<Post>, InferCreationAttributes<Post>> {
  declare id: CreationOptional<number>;
  declare title: CreationOptional<string | null>;
  declare UserId: CreationOptional<number | null>;
  declare User?: NonAttribute<User>;
  declare tags?: NonAttribute<Tag[]>;
  declare addTag: BelongsToManyAddAssociationMixin<Tag, number>;
}

export class Tag extends Model<InferAttributes<Tag>, InferCreationAttributes<Tag>> {
  declare id: CreationOptional<number>;
  declare label: CreationOptional<string | null>;
  declare PostTag?: NonAttribute<{ note: string | null }>;
}

export interface Models {
  readonly User: typeof User;
  readonly Post: typeof Post;
  readonly Tag: typeof Tag;
  readonly PostTag: ModelStatic<Model>;
}

/** Column names differ from attribute names, so that a mix-up shows. */
export function defineModels(
  sequelize: Sequelize,
  flavour: Flavour,
  email: EncryptionOptions = {},
): Models {
  const isPlain = flavour === "plain";
  const text = isPlain ? DataTypes.TEXT : EncryptedType;
  const id = { type: DataTypes.INTEGER, primaryKey: true, autoIncrement: true } as const;
  class OwnUser extends User {}
  class OwnPost extends Post {}
  class OwnTag extends Tag {}
  OwnUser.init(
    {
      id,
      name: DataTypes.TEXT,
      email: {
        type: isPlain ? DataTypes.TEXT : EncryptedType(email),
        field: "email_address",
        validate: { isEmail: true },
      },
      profile: { type: isPlain ? DataTypes.JSONB : EncryptedJSONType, field: "profile_data" },
      avatar: isPlain ? DataTypes.BLOB : EncryptedBinaryType(),
      logins: { type: DataTypes.INTEGER, defaultValue: 0 },
      shout: {
        type: DataTypes.VIRTUAL(DataTypes.STRING, ["email"]),
        get(this: User) {
          return this.email?.toUpperCase();
        },
      },
    } as never,
    {
      sequelize,
      modelName: "User",
      tableName: "users",
      paranoid: true,
      scopes: { contact: { attributes: ["id", "email"] } },
    },
  );
  OwnPost.init({ id, title: { type: text, field: "headline" } } as never, {
    sequelize,
    modelName: "Post",
    tableName: "posts",
  });
  OwnTag.init({ id, label: text } as never, {
    sequelize,
    modelName: "Tag",
    tableName: "tags",
    timestamps: false,
  });
  const PostTag = sequelize.define(
    "PostTag",
    { note: text },
    { tableName: "post_tags", timestamps: false },
  );
  OwnUser.hasMany(OwnPost, { as: "posts", foreignKey: "UserId" });
  OwnPost.belongsTo(OwnUser, { foreignKey: "UserId" });
  OwnPost.belongsToMany(OwnTag, { through: PostTag, as: "tags" });
  OwnTag.belongsToMany(OwnPost, { through: PostTag, as: "posts" });
  return {
    User: OwnUser as typeof User,
    Post: OwnPost as typeof Post,
    Tag: OwnTag as typeof Tag,
    PostTag,
  };
}

export const ADA = {
  name: "Ada",
  email: "ada@example.org",
  profile: { city: "London", tags: ["math"] },
  avatar: Buffer.from([0, 1, 2, 255]),
};
