// The server against people who mean harm: doors that are walked around, inputs that break things, races. The parts run
// in this order on one application: what one leaves behind, a later one finds.
import { AttackedServer } from "./hostile/attacked-server.ts";
import { doors } from "./hostile/doors.ts";
import { exports } from "./hostile/exports.ts";
import { input } from "./hostile/input.ts";
import { keys } from "./hostile/keys.ts";
import { labels } from "./hostile/labels.ts";
import { records } from "./hostile/records.ts";
import { viewers } from "./hostile/viewers.ts";

describe("The annotation server, under attack", function () {
  this.timeout(60_000);
  const server = new AttackedServer();

  before(() => server.start());

  after(() => server.app.stop());

  doors(server);
  input(server);
  viewers(server);
  records(server);
  labels(server);
  exports(server);
  keys(server);
});
