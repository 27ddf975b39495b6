/**
 * A real Chromium for tests of pages, driven by its DevTools protocol: what a page shows, says on its console and asks of the network. It
 * is given nothing of the network but loopback.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { startProgram, waitFor, type Program } from "./processes.ts";
import { hangMs } from "./patience.ts";

const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const found = places.find((place) => existsSync(place)) ?? null;

/** Tests of pages are skipped then. */
export const chromiumMissing = found === null;

const flags = [
  ...["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"],
  ...["--disable-component-update", "--no-first-run", "--disable-dev-shm-usage", "--hide-scrollbars"],
  ...["--remote-debugging-port=0", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.*"],
];

type Message = Readonly<Record<string, unknown>>;

interface Answer {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly params?: Message;
  readonly result?: Message;
  readonly error?: { readonly message: string };
}

export interface Screen {
  readonly width: number;
  readonly height: number;
  readonly dark: boolean;
}

export class Browser {
  readonly #waiting = new Map<number, { done: (result: Message) => void; failed: (error: Error) => void }>();
  readonly #pages = new Map<string, BrowserPage>();
  #count = 0;

  constructor(
    readonly program: Program,
    readonly folder: string,
    readonly socket: WebSocket,
  ) {
    socket.onmessage = ({ data }) => this.#heard(JSON.parse(String(data)) as Answer);
  }

  /** `more`: flags that come after the usual ones. */
  static async start(more: readonly string[] = []): Promise<Browser> {
    if (found === null) throw new Error("There is no chromium");
    const folder = mkdtempSync(`${tmpdir()}/heddle-browser-`);
    const command = [found, ...flags, ...more, `--user-data-dir=${folder}`, "about:blank"];
    const program = startProgram({ name: "chromium", command, log: `${folder}/chromium.log` });
    const port = `${folder}/DevToolsActivePort`;
    const lines = await waitFor(
      "chromium tells its port",
      () => {
        const text = existsSync(port) ? readFileSync(port, "utf8").split("\n") : [];
        return text.length > 1 ? text : null;
      },
      { program, limitMs: hangMs },
    );
    const socket = new WebSocket(`ws://127.0.0.1:${lines[0]}${lines[1]}`);
    await new Promise<void>((done, failed) => {
      socket.onopen = () => done();
      socket.onerror = () => failed(new Error("chromium does not take a connection"));
    });
    return new Browser(program, folder, socket);
  }

  async page(screen: Screen): Promise<BrowserPage> {
    const { browserContextId } = await this.send("Target.createBrowserContext", {});
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank", browserContextId });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new BrowserPage(this, String(sessionId));
    this.#pages.set(String(sessionId), page);
    await page.begin(screen);
    return page;
  }

  send(method: string, params: Message, sessionId?: string): Promise<Message> {
    const id = ++this.#count;
    return new Promise((done, failed) => {
      this.#waiting.set(id, { done, failed });
      this.socket.send(
        JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }),
      );
    });
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.program.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #heard({ id, sessionId, method, params = {}, result = {}, error }: Answer): void {
    if (id === undefined) return this.#pages.get(sessionId ?? "")?.heard(method ?? "", params);
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.done(result);
    else waiting?.failed(new Error(`chromium: ${error.message}`));
  }
}

export class BrowserPage {
  /** What went wrong in it: exceptions, errors and warnings of its console, refusals of its policy. */
  readonly problems: string[] = [];
  /** Addresses that it asked for. */
  readonly asked: string[] = [];

  constructor(
    readonly browser: Browser,
    readonly session: string,
  ) {}

  async begin(screen: Screen): Promise<void> {
    for (const domain of ["Page", "Runtime", "Log", "Network"]) await this.#send(`${domain}.enable`);
    await this.show(screen);
  }

  /** Turns it to another size, or to light or dark. */
  async show({ width, height, dark }: Screen): Promise<void> {
    const mobile = width < 600;
    await this.#send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile });
    const value = dark ? "dark" : "light";
    await this.#send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value }] });
  }

  async open(url: string): Promise<void> {
    await this.#send("Page.navigate", { url });
  }

  /** The value of an expression there, as JSON has it; a promise is awaited. */
  async value<Value>(expression: string): Promise<Value> {
    const asked = { expression, returnByValue: true, awaitPromise: true };
    const { result, exceptionDetails } = await this.#send("Runtime.evaluate", asked);
    if (exceptionDetails !== undefined) throw new Error(`In the page: ${JSON.stringify(exceptionDetails)}`);
    return (result as { readonly value: Value }).value;
  }

  /** Until the expression is true there. */
  async until(what: string, expression: string): Promise<void> {
    await waitFor(what, async () => ((await this.value<boolean>(`Boolean(${expression})`)) ? true : null), {
      limitMs: hangMs,
      everyMs: 50,
    });
  }

  /** All that is to be read in it. */
  text(): Promise<string> {
    return this.value("document.body.innerText");
  }

  /** As `keydown` names it: `Tab`, `Enter`, `g`. */
  async press(key: string, modifiers = 0): Promise<void> {
    const code = keyCodes[key] ?? key.toUpperCase().charCodeAt(0);
    const common = { key, modifiers, windowsVirtualKeyCode: code };
    const typed = key === "Enter" ? "\r" : key.length === 1 ? key : "";
    await this.#send("Input.dispatchKeyEvent", {
      type: "keyDown",
      ...common,
      ...(typed === "" ? {} : { text: typed }),
    });
    await this.#send("Input.dispatchKeyEvent", { type: "keyUp", ...common });
  }

  async type(words: string): Promise<void> {
    for (const letter of words) await this.press(letter);
  }

  /** A picture of what is seen, PNG. */
  async picture(): Promise<Uint8Array> {
    const { data } = await this.#send("Page.captureScreenshot", { format: "png" });
    return Uint8Array.fromBase64(String(data));
  }

  heard(method: string, params: Message): void {
    if (method === "Runtime.exceptionThrown") this.problems.push(JSON.stringify(params["exceptionDetails"]));
    if (method === "Log.entryAdded") {
      const { level, text, url } = params["entry"] as Readonly<Record<string, string>>;
      if (level === "error" || level === "warning") this.problems.push(`${level}: ${text} ${url ?? ""}`);
    }
    if (method === "Runtime.consoleAPICalled" && ["error", "warning"].includes(String(params["type"])))
      this.problems.push(JSON.stringify(params["args"]));
    if (method === "Network.requestWillBeSent")
      this.asked.push((params["request"] as { readonly url: string }).url);
  }

  #send(method: string, params: Message = {}): Promise<Message> {
    return this.browser.send(method, params, this.session);
  }
}

const keyCodes: Readonly<Record<string, number>> = {
  Tab: 9,
  Enter: 13,
  Escape: 27,
  ArrowLeft: 37,
  ArrowUp: 38,
  ArrowRight: 39,
  ArrowDown: 40,
  "/": 191,
};
