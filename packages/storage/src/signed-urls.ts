// URLs that give access to one object for a while. The token is an encrypted value, so it cannot be changed, and shows
// neither the object's key nor when it expires.
import {
  ColumnCipher,
  ConfigError,
  StorageError,
  textCodec,
  type KeyringInput,
} from "@fieldseal/crypto";
import type { Disposition } from "./content-disposition.ts";
import { checkKey } from "./object-key.ts";

export interface SignedUrlOptions {
  /** What the URLs begin with: a path, or a URL with host. Ends with a slash. */
  readonly baseUrl: string;
  /** Defaults to the process default. Tokens under previous keys stay valid until they expire. */
  readonly keyring?: KeyringInput;
  /**
   * Tokens open only under the context they were made for: name the storage in it, where several have one keyring.
   * Defaults to the path of `baseUrl`.
   */
  readonly context?: string;
}

export interface SignOptions {
  /** Defaults to 300. */
  readonly expiresInSeconds?: number;
  /** Defaults to `"inline"`. */
  readonly disposition?: Disposition;
  /** Gives this object and no later one under the same key. Defaults to none. */
  readonly objectId?: string;
}

/** What a signed URL gives access to. */
export interface SignedAccess {
  readonly key: string;
  readonly disposition: Disposition;
  readonly objectId: string | undefined;
}

/** A key of 1024 bytes makes about 1700. */
const MAX_TOKEN_CHARACTERS = 4096;

/** Short names, because they end up in the URL. */
interface Token {
  readonly k: string;
  /** Seconds since 1970. */
  readonly e: number;
  readonly a?: 1;
  readonly o?: string;
}

/**
 * @example
 * ```ts
 * const urls = new SignedUrls({ baseUrl: "/files/" });
 * const url = urls.sign("frames/0001.jpg", { expiresInSeconds: 60 });
 * ```
 */
export class SignedUrls {
  readonly #baseUrl: string;
  readonly #cipher: ColumnCipher<string>;

  /** @throws {@link ConfigError} `ERR_CONFIG_OPTION` */
  constructor({ baseUrl, keyring, context = pathOf(baseUrl) }: SignedUrlOptions) {
    if (!baseUrl.endsWith("/") || baseUrl.includes("?")) {
      throw new ConfigError(
        "ERR_CONFIG_OPTION",
        "Option baseUrl of SignedUrls takes a URL or path that ends with a slash.",
      );
    }
    this.#baseUrl = baseUrl;
    this.#cipher = new ColumnCipher({
      codec: textCodec,
      label: "signed URL",
      options: { storage: "binary", context: { table: "fieldseal.storage.urls", column: context } },
      defaultContext: { table: "fieldseal.storage.urls", column: context },
      defaultKeyring: keyring,
    });
  }

  /** @throws {@link StorageError} `ERR_STORAGE_KEY` */
  sign(key: string, options: SignOptions = {}): string {
    const { expiresInSeconds = 300, disposition = "inline", objectId } = options;
    if (!Number.isFinite(expiresInSeconds) || expiresInSeconds <= 0)
      throw new RangeError("expiresInSeconds must be a finite positive number.");
    const token: Token = {
      k: checkKey(key),
      e: Math.floor(Date.now() / 1000 + expiresInSeconds),
      ...(disposition === "attachment" && { a: 1 }),
      ...(objectId !== undefined && { o: objectId }),
    };
    const sealed = this.#cipher.seal(JSON.stringify(token)) as Buffer;
    return this.#baseUrl + sealed.toString("base64url");
  }

  /**
   * @param url the URL or its path, with or without host and query
   * @throws {@link StorageError} `ERR_STORAGE_LINK` when it is not one of ours, was changed or has expired
   */
  open(url: string): SignedAccess {
    const token = this.#read(tokenIn(url));
    if (token === undefined) throw linkError("is not one of ours, or was changed");
    if (token.e * 1000 <= Date.now()) throw linkError("has expired");
    return {
      key: token.k,
      disposition: token.a === 1 ? "attachment" : "inline",
      objectId: token.o,
    };
  }

  #read(text: string): Token | undefined {
    const sealed = Buffer.from(text, "base64url");
    // One spelling only.
    if (text.length > MAX_TOKEN_CHARACTERS || sealed.toString("base64url") !== text)
      return undefined;
    try {
      return JSON.parse(this.#cipher.open(sealed)) as Token;
    } catch (error) {
      // That no key is configured is not the visitor's fault.
      if (error instanceof ConfigError) throw error;
      // Whatever it was, the visitor learns that the link is no good, and nothing about keys.
      return undefined;
    }
  }
}

/** The last part of the path. Without a regular expression: URLs are the visitor's, who may choose slow ones. */
function tokenIn(url: string): string {
  const end = [url.indexOf("?"), url.indexOf("#")].filter((at) => at >= 0);
  const path = url.slice(0, Math.min(url.length, ...end));
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The same for a signer that knows the host, and a server that does not. */
function pathOf(baseUrl: string): string {
  return URL.parse(baseUrl, "http://localhost")?.pathname ?? baseUrl;
}

function linkError(finding: string): StorageError {
  return new StorageError("ERR_STORAGE_LINK", `The signed URL ${finding}. Make a new one.`);
}
