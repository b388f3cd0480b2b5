// One Ceph object gateway (radosgw) with the monitor and the object store in memory that it needs: a real S3 server in
// about three seconds, loopback only, in a private folder, gone however the process ends.
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { accessSync, constants, rmSync } from "node:fs";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort } from "./free-port.ts";

export interface S3Server {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of its configuration; gone after `stop`. Undefined for a server that this process did not start. */
  readonly folder: string | undefined;
  stop(): Promise<void>;
}

const PROGRAMS = ["radosgw", "radosgw-admin", "ceph", "ceph-mon", "ceph-osd", "setpriv"];
const STARTS_WITHIN_MS = 60_000;
const STEP_TIMEOUT_MS = 30_000;

const run = promisify(execFile);

/** What has to be installed first; undefined when nothing is missing. */
export function missingForRadosgw(): string | undefined {
  const missing = PROGRAMS.filter((program) => !isOnPath(program));
  if (missing.length === 0) return undefined;
  return `${missing[0]} is not installed: apt-get install radosgw ceph-mon ceph-osd`;
}

function isOnPath(program: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

let shared: Promise<S3Server> | undefined;

/** The server of this run, which starts with the first call. */
export function sharedRadosgw(): Promise<S3Server> {
  return (shared ??= startRadosgw());
}

/** Stops that server, if it was started. */
export async function stopRadosgw(): Promise<void> {
  await (await shared)?.stop();
  shared = undefined;
}

/** Starts a server with one user. Rejects with what the programs said when it does not come up. */
export async function startRadosgw(): Promise<S3Server> {
  const folder = await mkdtemp(join(tmpdir(), "fieldseal-s3-")); // 0700
  const cluster = new Cluster(folder);
  const stopAtOnce = (): void => cluster.kill();
  process.once("exit", stopAtOnce);
  const user = {
    accessKeyId: randomBytes(10).toString("hex"),
    secretAccessKey: randomBytes(20).toString("hex"),
  };
  try {
    const endpoint = await cluster.start(user);
    return {
      endpoint,
      ...user,
      folder,
      async stop() {
        await cluster.stop();
        process.off("exit", stopAtOnce);
      },
    };
  } catch (error) {
    const said = await cluster.stop();
    process.off("exit", stopAtOnce);
    throw new Error(`radosgw did not start:\n${said}`, { cause: error });
  }
}

interface User {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

class Cluster {
  readonly #folder: string;
  readonly #config: string;
  readonly #keyring: string;
  readonly #daemons: ChildProcess[] = [];
  #said = "";

  constructor(folder: string) {
    this.#folder = folder;
    this.#config = join(folder, "ceph.conf");
    this.#keyring = join(folder, "keyring");
  }

  async start(user: User): Promise<string> {
    const port = await freePort();
    const monitor = `[v2:127.0.0.1:${await freePort()}]`;
    const fsid = randomUUID();
    for (const name of ["mon", "osd", "run", "log"]) await mkdir(join(this.#folder, name));
    await writeFile(this.#config, configuration({ folder: this.#folder, fsid, monitor, port }));
    await this.#startMonitor(fsid, monitor);
    await this.#startStore();
    const keys = [`--access-key=${user.accessKeyId}`, `--secret-key=${user.secretAccessKey}`];
    const names = ["--uid=tests", "--display-name=tests"];
    await this.#tool("radosgw-admin", ["-n", "client.admin", "user", "create", ...names, ...keys]);
    const gateway = this.#daemon("radosgw", ["-n", "client.admin"]);
    const endpoint = `http://127.0.0.1:${port}`;
    await answers(endpoint, gateway);
    return endpoint;
  }

  /** Everything is in memory, so nothing is lost by ending at once. Returns what the programs said. */
  async stop(): Promise<string> {
    const ended = this.#daemons.map((daemon) => hasEnded(daemon));
    this.kill();
    await Promise.all(ended);
    // Again: until they had ended, they could still write.
    rmSync(this.#folder, { recursive: true, force: true });
    return this.#said;
  }

  kill(): void {
    for (const daemon of this.#daemons) daemon.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 25 });
  }

  async #startMonitor(fsid: string, monitor: string): Promise<void> {
    const map = join(this.#folder, "monmap");
    const everything = ["--cap", "mon", "allow *", "--cap", "osd", "allow *"];
    const key = (name: string): string[] => [this.#keyring, "--gen-key", "-n", name, ...everything];
    await run("ceph-authtool", ["--create-keyring", ...key("mon.")]);
    await run("ceph-authtool", key("client.admin"));
    await run("ceph-authtool", key("osd.0"));
    await run("monmaptool", ["--create", "--fsid", fsid, "--addv", "a", monitor, map]);
    // The monitor takes over all keys of the keyring, that of the store too.
    await this.#tool("ceph-mon", [
      "--mkfs",
      "-i",
      "a",
      "--monmap",
      map,
      "--keyring",
      this.#keyring,
    ]);
    this.#daemon("ceph-mon", ["-i", "a"]);
  }

  async #startStore(): Promise<void> {
    const uuid = randomUUID();
    await this.#tool("ceph", ["osd", "new", uuid]);
    await this.#tool("ceph-osd", ["-i", "0", "--mkfs", "--osd-uuid", uuid]);
    this.#daemon("ceph-osd", ["-i", "0"]);
  }

  async #tool(program: string, parameters: readonly string[]): Promise<void> {
    const { stderr } = await run(program, ["-c", this.#config, ...parameters], {
      timeout: STEP_TIMEOUT_MS,
    });
    this.#said += stderr;
  }

  #daemon(program: string, parameters: readonly string[]): ChildProcess {
    // The kernel ends it with us, also when this process is killed.
    const command = ["--pdeathsig", "KILL", program, "-c", this.#config, ...parameters, "-f"];
    const daemon = spawn("setpriv", command, { stdio: ["ignore", "ignore", "pipe"] });
    daemon.stderr?.on("data", (text) => (this.#said += String(text)));
    daemon.once("error", (error) => (this.#said += error.message));
    this.#daemons.push(daemon);
    return daemon;
  }
}

async function answers(endpoint: string, gateway: ChildProcess): Promise<void> {
  const deadline = Date.now() + STARTS_WITHIN_MS;
  for (;;) {
    try {
      await (await fetch(endpoint)).arrayBuffer();
      return;
    } catch (error) {
      if (gateway.exitCode !== null || Date.now() > deadline) throw error;
      await delay(50);
    }
  }
}

function hasEnded(daemon: ChildProcess): Promise<unknown> {
  const isOver = daemon.exitCode !== null || daemon.signalCode !== null || daemon.pid === undefined;
  return isOver ? Promise.resolve() : new Promise((resolve) => daemon.once("exit", resolve));
}

interface Settings {
  readonly folder: string;
  readonly fsid: string;
  readonly monitor: string;
  readonly port: number;
}

/**
 * Without `paxos ...` each pool that the gateway makes at its start would wait a second; without `tcp_nodelay` every answer
 * with a body, 40 ms for the acknowledgement of its headers.
 */
function configuration({ folder, fsid, monitor, port }: Settings): string {
  return `[global]
fsid = ${fsid}
mon host = ${monitor}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
run dir = ${folder}/run
admin socket = ${folder}/run/$name.asok
pid file = ${folder}/run/$name.pid
crash dir = ${folder}/log
log to file = false
mon cluster log to file = false
keyring = ${folder}/keyring
mon data = ${folder}/mon
osd data = ${folder}/osd
osd objectstore = memstore
memstore device bytes = 4294967296
rgw gc obj min wait = 1
rgw gc processor period = 5
rgw gc processor max time = 5
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on insecure global id reclaim = false
mon data avail crit = 1
paxos propose interval = 0.02
paxos min wait = 0.01
[client.admin]
rgw frontends = beast endpoint=127.0.0.1:${port} tcp_nodelay=1
rgw dynamic resharding = false
rgw run sync thread = false
`;
}
