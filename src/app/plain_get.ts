/** One GET in clear text on loopback: how a command looks at an admin page. */
import { socketAddress } from "../base/socket_address.ts";
import type { Runtime } from "../../runtime/contract.ts";
import { Http1Client } from "../http/h1_client.ts";
import { Shard } from "../http/shard.ts";
import { limits } from "../model/limits.ts";
import { noEdits } from "../wire/fields.ts";

export interface PlainAnswer {
  readonly status: number;
  readonly text: string;
}

/** Rejects when nothing answers in time. */
export function plainGet(
  runtime: Pick<Runtime, "net" | "clock">,
  host: string,
  port: number,
  target: string,
): Promise<PlainAnswer> {
  return new Promise((resolve, reject) => {
    const timer = runtime.clock.after(
      limits.probeTimeoutMs,
      () => reject(new Error("no answer in time")),
      true,
    );
    const fail = (error: { readonly message: string }): void => {
      timer.cancel();
      reject(new Error(error.message));
    };
    runtime.net.connect(
      { host, port, timeoutMs: limits.probeTimeoutMs },
      {
        opened: (socket) => {
          const shard = new Shard(runtime.clock);
          const peer = socketAddress(host, port);
          const client: Http1Client = new Http1Client(socket, {
            shard,
            peer,
            onIdle: () => client.retire(),
            onRetired: () => {},
          });
          let status = 0;
          let text = "";
          const outgoing = {
            method: "GET",
            target,
            authority: peer,
            fields: null,
            nominated: null,
          };
          client
            .start({ ...outgoing, contentLength: 0, upgrade: null, expectContinue: false }, noEdits, {
              informational() {},
              writable() {},
              head: (head) => {
                status = head.status;
              },
              data: (bytes, start, end) => {
                text += new TextDecoder().decode(bytes.subarray(start, end));
              },
              end: () => {
                timer.cancel();
                resolve({ status, text });
              },
              failed: (outcome) => fail({ message: outcome.detail }),
            })
            .end(null);
          return client.handler;
        },
        failed: fail,
      },
    );
  });
}
