// The one application that all attacks are made on, with an annotator and a viewer signed in.
import { startTestApplication, type TestApplication } from "../application.ts";
import { Client } from "../client.ts";

export class AttackedServer {
  app!: TestApplication;
  ada!: Client;
  vera!: Client;

  async start(): Promise<void> {
    this.app = await startTestApplication();
    this.ada = await Client.signedIn(this.app.url);
    this.vera = await Client.signedIn(this.app.url, "Vera");
  }
}
