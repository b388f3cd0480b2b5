// A network between client and server: what the client sends arrives a millisecond later. Both ends of a loopback
// connection are some 50 us apart, as no application's database is. In a thread of its own, so that neither end waits for
// the other's work; it costs both some of the machine.
import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

/** Timers of Node are no finer. */
const DELAY_MS = 1;

export interface SlowNetwork {
  /** The same database, through it. */
  readonly url: string;
  close(): Promise<unknown>;
}

export async function slowNetwork(url: string): Promise<SlowNetwork> {
  const { port, hostname } = new URL(url);
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { host: hostname, port: Number(port) },
  });
  const [listening] = (await once(worker, "message")) as [number];
  const slow = new URL(url);
  slow.port = String(listening);
  return { url: slow.href, close: () => worker.terminate() };
}

if (!isMainThread && parentPort !== null) {
  const server = createServer({ noDelay: true }, (client) => {
    const database = connect({ ...(workerData as { host: string; port: number }), noDelay: true });
    client.on("data", (chunk) => void setTimeout(() => database.write(chunk), DELAY_MS));
    client.on("end", () => void setTimeout(() => database.end(), DELAY_MS));
    database.pipe(client);
    for (const socket of [client, database]) {
      socket.on("error", () => {});
      socket.on("close", () => {
        client.destroy();
        database.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1", () =>
    parentPort?.postMessage((server.address() as AddressInfo).port),
  );
}
