/**
 * The services behind a test mesh, each a process of its own that knows nothing of heddle:
 *   bun test/support/apps.ts http 127.0.0.1 8080 orders v1     tells in JSON who answered and what it saw
 *   bun test/support/apps.ts tcp  127.0.0.1 8081 queue v1      greets with "queue v1\n", then echoes
 * HTTP paths: /healthz; /missing is answered 404; /wait?ms= answers late; /tick?ms=&count= streams a line at a time; anything else is described.
 */

import type { Socket } from "bun";

/** What the HTTP app answers. */
export interface Seen {
  readonly service: string;
  readonly version: string;
  readonly pid: number;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Address that the connection came from. */
  readonly from: string;
}

async function describe(request: Request, service: string, version: string, from: string): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const seen: Seen = {
    service,
    version,
    pid: process.pid,
    method: request.method,
    path: pathname + search,
    headers: Object.fromEntries(request.headers),
    body: await request.text(),
    from,
  };
  return Response.json(seen);
}

function ticks(everyMs: number, count: number): Response {
  const lines = async function* () {
    for (let tick = 0; tick < count; tick++) {
      yield `tick ${tick}\n`;
      await Bun.sleep(everyMs);
    }
  };
  return new Response(lines());
}

function serveHttp(hostname: string, port: number, service: string, version: string): void {
  Bun.serve({
    hostname,
    port,
    idleTimeout: 120,
    async fetch(request, server) {
      const { pathname, searchParams } = new URL(request.url);
      if (pathname === "/healthz") return new Response("ok");
      if (pathname === "/missing") return new Response("nothing is here", { status: 404 });
      if (pathname === "/wait") await Bun.sleep(Number(searchParams.get("ms")));
      if (pathname === "/tick")
        return ticks(Number(searchParams.get("ms")), Number(searchParams.get("count")));
      return describe(request, service, version, server.requestIP(request)?.address ?? "");
    },
  });
}

interface Echo {
  /** What the kernel did not take yet. */
  rest: Buffer;
  ended: boolean;
}

function serveTcp(hostname: string, port: number, service: string, version: string): void {
  const flush = (socket: Socket<Echo>): void => {
    const { data } = socket;
    data.rest = data.rest.subarray(Math.max(0, socket.write(data.rest)));
    if (data.rest.length > 0) return;
    socket.resume();
    if (data.ended) socket.end();
  };
  Bun.listen<Echo>({
    hostname,
    port,
    allowHalfOpen: true,
    socket: {
      open(socket) {
        socket.data = { rest: Buffer.from(`${service} ${version}\n`), ended: false };
        flush(socket);
      },
      data(socket, chunk) {
        socket.data.rest = Buffer.concat([socket.data.rest, chunk]);
        socket.pause();
        flush(socket);
      },
      drain: flush,
      end(socket) {
        socket.data.ended = true;
        flush(socket);
      },
    },
  });
}

if (import.meta.main) {
  const [kind, host = "", port, service = "", version = ""] = process.argv.slice(2);
  (kind === "tcp" ? serveTcp : serveHttp)(host, Number(port), service, version);
}
