// A signed-in client that speaks the contract, without a browser.
import { randomUUID } from "node:crypto";
import type { AnnotationBox, FrameDetail, FrameList, Session } from "../web/src/data/contract.ts";

export interface Answer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

export class Client {
  readonly #base: string;
  #cookie = "";
  #csrfToken = "";

  constructor(base: string) {
    this.#base = base;
  }

  static async signedIn(base: string, name: "Ada" | "Vera" = "Ada"): Promise<Client> {
    const client = new Client(base);
    const { body } = await client.send<Session>("GET", "/api/session");
    const account = body.demoAccounts.find((known) => known.name === name);
    await client.send("POST", "/api/session", { name, password: account?.password });
    return client;
  }

  /** The same visitor at another service. */
  at(base: string): Client {
    const other = new Client(base);
    other.#cookie = this.#cookie;
    other.#csrfToken = this.#csrfToken;
    return other;
  }

  async send<T = { code: string; message: string }>(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer<T>> {
    const isForm = body instanceof FormData;
    const response = await fetch(this.#base + path, {
      method,
      headers: {
        cookie: this.#cookie,
        "x-csrf-token": this.#csrfToken,
        ...(body === undefined || isForm ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
    });
    const cookie = response.headers.getSetCookie()[0]?.split(";")[0];
    if (cookie !== undefined) this.#cookie = cookie;
    const isJson = response.headers.get("content-type")?.includes("json") ?? false;
    const answer = (
      isJson ? await response.json() : Buffer.from(await response.arrayBuffer())
    ) as T;
    const token = (answer as Partial<Session> | null)?.csrfToken;
    if (token !== undefined) this.#csrfToken = token;
    return { status: response.status, headers: response.headers, body: answer };
  }

  async get<T>(path: string): Promise<T> {
    const { status, body } = await this.send<T>("GET", path);
    if (status !== 200) throw new Error(`GET ${path}: ${status} ${JSON.stringify(body)}`);
    return body;
  }

  async post<T>(path: string, body?: unknown): Promise<T> {
    const answer = await this.send<T>("POST", path, body);
    if (answer.status !== 200) {
      throw new Error(`POST ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    }
    return answer.body;
  }

  /** @param list who has the list of frames, where the services are apart. Defaults to this client. */
  async frameNamed(name: string, list: Client = this): Promise<FrameDetail> {
    const { frames } = await list.get<FrameList>("/api/frames");
    const id = frames.find((frame) => frame.name === name)?.id;
    return this.get<FrameDetail>(`/api/frames/${id}`);
  }

  upload<T>(name: string, content: Uint8Array<ArrayBuffer>): Promise<Answer<T>> {
    const form = new FormData();
    form.append("file", new Blob([content]), name);
    return this.send<T>("POST", "/api/uploads", form);
  }
}

export function newBox(fields: Partial<AnnotationBox> = {}): AnnotationBox {
  return {
    id: randomUUID(),
    x: 10,
    y: 20,
    width: 30,
    height: 40,
    label: "person",
    note: null,
    confidence: null,
    ...fields,
  };
}
