// One connection for several users: a client takes one query at a time.

export class Turns<Client> {
  readonly #client: Client;
  #last: Promise<unknown> = Promise.resolve();

  constructor(client: Client) {
    this.#client = client;
  }

  /** Runs the action when those before it have ended. */
  take<T>(action: (client: Client) => Promise<T>): Promise<T> {
    const turn = this.#last.then(() => action(this.#client));
    this.#last = turn.catch(() => {});
    return turn;
  }
}
