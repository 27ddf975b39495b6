/** The dashboard on a machine that is not the controller's: the same pages on loopback here, and the answers over mTLS, as an operator. */
import type { Runtime } from "../../runtime/contract.ts";
import { PageDoor } from "../admin/page_door.ts";
import { ControlRefusal, ControlUnreachable, type ControlClient } from "../api/control.ts";
import { controllerPaths } from "../api/messages.ts";
import { lineStream } from "../api/ndjson.ts";
import { Refusal } from "../api/problem.ts";
import type { AskedLine } from "../api/questions.ts";
import { dashboardAssets } from "./dashboard_assets.ts";
import { servePlain } from "./plain_server.ts";

export interface DashboardHere {
  readonly host: string;
  readonly port: number;
  /** Of the link; works once. */
  readonly code: string;
  close(): Promise<void>;
}

/** `port` 0: any. */
export function serveDashboardHere(
  runtime: Pick<Runtime, "net" | "clock" | "random">,
  operator: ControlClient,
  port: number,
): DashboardHere {
  const { clock, random } = runtime;
  const forward = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    if (pathname === controllerPaths.ask) return follow(runtime, operator, await request.json());
    return Response.json(await answerOf(operator, pathname));
  };
  const door = new PageDoor<null>({ clock, random, assets: dashboardAssets, forward });
  const host = "127.0.0.1";
  const server = servePlain(runtime, { host, port }, (request) => door.handle(request));
  return { host, port: server.port, code: door.code(null), close: () => server.close(0) };
}

async function answerOf(operator: ControlClient, path: string): Promise<unknown> {
  try {
    return (await operator.call("GET", path)).body;
  } catch (error) {
    if (error instanceof ControlRefusal)
      throw new Refusal(error.status === 404 ? 404 : 403, error.message, error.problem.hint ?? null);
    if (error instanceof ControlUnreachable) throw new Refusal(503, error.message);
    throw error;
  }
}

function follow({ clock }: Pick<Runtime, "clock">, operator: ControlClient, request: unknown): Response {
  let asking: { close(): void } | null = null;
  const heartbeat = (): AskedLine => ({ kind: "heartbeat" });
  return lineStream({ clock, heartbeat, closed: () => asking?.close() }, (stream) => {
    asking = operator.stream(
      controllerPaths.ask,
      {
        line: (line) => void stream.send(line),
        ended: (error) => {
          if (error !== null)
            stream.send({ kind: "end", machine: "controller", problem: error.message } satisfies AskedLine);
          stream.close();
        },
      },
      request,
    );
  });
}
