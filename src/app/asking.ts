/** Asks proxies, through the controller, and hands on what they answer. */
import type { ControlClient, ControlRefusal, ControlUnreachable } from "../api/control.ts";
import { controllerPaths } from "../api/messages.ts";
import type { AskedLine, AskRequest } from "../api/questions.ts";

export interface AskingHandler {
  /** Not called for heartbeats. False: enough. */
  line(line: Exclude<AskedLine, { kind: "heartbeat" }>): boolean;
}

/**
 * Resolves when every machine's answer has ended, the handler has enough, or `enough` has resolved; rejects when the controller refuses
 * or is lost.
 */
export function ask(
  operator: ControlClient,
  request: AskRequest,
  handler: AskingHandler,
  enough: Promise<void> | null = null,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = operator.stream(
      controllerPaths.ask,
      {
        line(message) {
          const line = message as AskedLine;
          if (line.kind === "heartbeat" || handler.line(line)) return;
          stream.close();
          resolve();
        },
        ended: (error: ControlRefusal | ControlUnreachable | null) =>
          error === null ? resolve() : reject(error),
      },
      request,
    );
    void enough?.then(() => {
      stream.close();
      resolve();
    });
  });
}
