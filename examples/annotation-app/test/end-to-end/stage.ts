// The one application and the one browser that all end-to-end tests share: starting them takes longer than most tests.
import type { Page } from "playwright-core";
import { logEverything } from "../../../../test/support/leak-search.ts";
import type { AnnotationBox } from "../../web/src/data/contract.ts";
import { startTestApplication, type TestApplication } from "../application.ts";
import { FrameOnScreen, openBrowser, type OpenBrowser, signIn } from "../chromium.ts";
import { Client } from "../client.ts";

export class Stage {
  /** Stands in notes and in file names; afterwards it may be nowhere but in the pages. */
  readonly marker: string;
  app!: TestApplication;
  browser!: OpenBrowser;
  /** Where Ada is signed in. */
  page!: Page;
  /** Ada again, without a browser. */
  ada!: Client;

  constructor(marker: string) {
    this.marker = marker;
  }

  async set(test: Mocha.Context): Promise<void> {
    const opening = openBrowser(test);
    const starting = startTestApplication({ ROTATION_ROWS_PER_SECOND: "400" });
    this.browser = await opening;
    this.app = await starting;
    await logEverything(this.app.database);
    this.ada = await Client.signedIn(this.app.url);
    this.page = await signIn(this.browser.context, this.app.url);
  }

  async strike(): Promise<void> {
    await this.browser?.close();
    await this.app?.stop();
    await this.browser?.removeProfile();
  }

  async show(screen: string): Promise<void> {
    await this.page.getByRole("navigation").getByRole("link", { name: screen }).click();
  }

  /** Another address of the same page. */
  async go(hash: string, page: Page = this.page): Promise<void> {
    await page.evaluate((value) => void (location.hash = value), hash);
  }

  async open(name: string, page: Page = this.page): Promise<FrameOnScreen> {
    return FrameOnScreen.open(page, await this.ada.frameNamed(name));
  }

  async boxOn(name: string, label: string): Promise<AnnotationBox> {
    const { boxes } = await this.ada.frameNamed(name);
    const box = boxes.find((known) => known.label === label);
    if (!box) throw new Error(`no ${label} in ${name}`);
    return box;
  }
}
