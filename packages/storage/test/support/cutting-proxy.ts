// A proxy on loopback that breaks each connection after so many bytes of answers.
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface CuttingProxy {
  readonly endpoint: string;
  /** Connections broken so far. */
  cuts(): number;
  cutAfter(bytes: number): void;
  stop(): Promise<void>;
}

export async function cuttingProxy(
  target: string,
  { afterBytes }: { readonly afterBytes: number },
): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let limit = afterBytes;
  let cuts = 0;
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    let bytes = 0;
    far.on("data", (chunk) => {
      bytes += chunk.length;
      if (bytes <= limit) {
        if (!near.write(chunk)) far.pause();
        return;
      }
      cuts++;
      near.destroy();
      far.destroy();
    });
    near.on("drain", () => far.resume());
    near.pipe(far);
    far.on("end", () => near.end());
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => sockets.delete(socket));
    }
    near.on("close", () => far.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    cuts: () => cuts,
    cutAfter: (bytes) => void (limit = bytes),
    stop: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
