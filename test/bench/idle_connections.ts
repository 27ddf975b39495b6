/**
 * Opens many mTLS connections to the port that proxies talk to, as another proxy would, agrees on HTTP/2 and leaves them alone.
 * A process of its own: options (IdleConnectionsOptions) come as the first line of the input, `{"open":N,"failed":N}` is printed
 * when all were tried, and they stay until the input ends.
 */
import { createRuntime } from "../../runtime/bun/runtime.ts";
import { outboundTls, sharedAlpn } from "../../src/identity/tls_options.ts";
import { serviceId } from "../../src/model/identity.ts";
import { frame, opening } from "../support/h2_frames.ts";
import { frameFlags, frameTypes } from "../../src/wire/h2/frames.ts";
import type { MeshPort } from "./heddle.ts";

export interface IdleConnectionsOptions {
  readonly port: MeshPort;
  readonly count: number;
  readonly parallel: number;
}

export interface IdleConnectionsResult {
  readonly open: number;
  readonly failed: number;
}

/** As many connections as each local address has ports for, with room to spare. */
const perAddress = 5_000;
const trustDomain = "mesh.test";
const acknowledged = frame(frameTypes.settings, frameFlags.ack, 0);

if (import.meta.main) {
  const lines = console[Symbol.asyncIterator]();
  const { port, count, parallel } = JSON.parse((await lines.next()).value ?? "{}") as IdleConnectionsOptions;
  const { net } = createRuntime();
  const trust = { trustDomain, rootsPem: [...port.rootsPem], denied: new Set<string>() };
  const spiffeId = serviceId(trustDomain, port.service);
  const tls = outboundTls(port.credential, trust, {
    spiffeId,
    serverName: port.serverName,
    alpn: sharedAlpn,
  });
  let started = 0;
  let failed = 0;
  let ended = 0;
  const dial = (index: number): Promise<void> =>
    new Promise((resolve) => {
      const localAddress = `127.79.0.${1 + Math.floor(index / perAddress)}`;
      net.connect(
        { host: port.host, port: port.port, localAddress, timeoutMs: 10_000, tls },
        {
          opened(socket) {
            socket.write(opening);
            return {
              // The server's SETTINGS: from now on nothing is left to say.
              data() {
                socket.write(acknowledged);
                resolve();
              },
              drain() {},
              end() {},
              close() {
                ended++;
                resolve();
              },
            };
          },
          failed() {
            failed++;
            resolve();
          },
        },
      );
    });
  const one = async (): Promise<void> => {
    while (started < count) await dial(started++);
  };
  await Promise.all(Array.from({ length: parallel }, one));
  const result: IdleConnectionsResult = { open: count - failed - ended, failed: failed + ended };
  process.stdout.write(`${JSON.stringify(result)}\n`);
  await lines.next();
  process.exit(0);
}
