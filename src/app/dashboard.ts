/** The dashboard of a controller: its pages on loopback of that machine, for browsers that an operator let in. */
import type { Runtime } from "../../runtime/contract.ts";
import { PageDoor } from "../admin/page_door.ts";
import type { Caller, ControlHandler } from "../api/control.ts";
import type { ControlServer } from "../api/control_server.ts";
import type { SessionAnswer } from "../api/dashboard_messages.ts";
import { Refusal } from "../api/problem.ts";
import { problemOf } from "../base/result.ts";
import { socketAddress } from "../base/socket_address.ts";
import { dashboardAssets } from "./dashboard_assets.ts";
import { servePlain } from "./plain_server.ts";
import { adminPort, type Settings } from "./settings.ts";

export interface DashboardOptions {
  /** The control API: a session acts as the operator who began it, with the certificate that it had then. */
  readonly handler: ControlHandler;
  readonly log: (text: string) => void;
}

export class Dashboard {
  readonly #door: PageDoor<Caller>;
  readonly #listenAt: { readonly host: string; readonly port: number };
  #server: ControlServer | null = null;

  constructor(
    readonly runtime: Pick<Runtime, "net" | "clock" | "random">,
    settings: Settings,
    readonly options: DashboardOptions,
  ) {
    const { clock, random } = runtime;
    const forward = (request: Request, caller: Caller) => this.options.handler(request, { caller });
    // The local listeners of a machine may stand elsewhere: its dashboard does not.
    const host = settings.loopback.startsWith("127.") ? settings.loopback : "127.0.0.1";
    this.#listenAt = { host, port: adminPort(settings, "dashboard") };
    this.#door = new PageDoor({ clock, random, assets: dashboardAssets, forward });
  }

  /** A port that somebody has keeps no controller from its work: it is tried again when the dashboard is wanted. */
  begin(): void {
    const problem = this.#listen();
    if (problem !== null) this.options.log(`the dashboard is not served: ${problem}`);
  }

  admit(caller: Caller): SessionAnswer {
    const problem = this.#listen();
    if (problem !== null || this.#server === null)
      throw new Refusal(503, `The dashboard cannot be served: ${problem}`, "Stop what has that port");
    const { host } = this.#listenAt;
    return { host, port: this.#server.port, code: this.#door.code(caller) };
  }

  async close(): Promise<void> {
    await this.#server?.close(0);
  }

  #listen(): string | null {
    if (this.#server !== null) return null;
    const listen = this.#listenAt;
    try {
      this.#server = servePlain(this.runtime, listen, (request) => this.#door.handle(request));
      return null;
    } catch (error) {
      return `${socketAddress(listen.host, listen.port)}: ${problemOf(error)}`;
    }
  }
}
