/** Opaque connections for tests: a client of a local listener, an app that the test plays by hand, and the ways between them. */
import type { SocketError } from "../../runtime/contract.ts";
import { runtime, type TestMachine } from "./planes.ts";
import { dialled, until, type End, type TestListener } from "./sockets.ts";
import { hangMs } from "./patience.ts";

const encoder = new TextEncoder();

export function send(end: End, text: string): void {
  const bytes = Buffer.from(text, "latin1");
  const taken = end.socket.write(bytes);
  if (taken !== bytes.length) throw new Error(`The kernel took ${taken} of ${bytes.length} bytes`);
}

/** Until it has heard exactly that. */
export async function expectHeard(end: End, text: string): Promise<void> {
  await until(() => end.heard.received >= text.length, `${JSON.stringify(text)} arrives`);
  const heard = end.heard.text();
  if (heard !== text) throw new Error(`Heard ${JSON.stringify(heard)} instead of ${JSON.stringify(text)}`);
}

export async function expectEnd(end: End): Promise<void> {
  await until(() => end.heard.ended || end.heard.closed, "the other side ends");
  if (!end.heard.ended) throw new Error(`It broke instead of ending: ${end.heard.events.join(", ")}`);
}

/** A reset, not an end. */
export async function expectReset(end: End): Promise<SocketError> {
  await until(() => end.heard.closed || end.heard.ended, "the connection breaks");
  const { error } = end.heard;
  if (error === null) throw new Error(`It ended instead of breaking: ${end.heard.events.join(", ")}`);
  return error;
}

export function connectLocal(port: number): Promise<End> {
  return dialled(runtime, { host: "127.0.0.1", port, timeoutMs: hangMs });
}

/** CONNECT at an HTTP listener; what follows the answer's head is the connection. Throws the answer when it is no 2xx. */
export async function connectByName(port: number, authority: string): Promise<End> {
  const end = await connectLocal(port);
  end.socket.write(encoder.encode(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n\r\n`));
  await until(() => end.heard.text().includes("\r\n\r\n") || end.heard.closed, "CONNECT is answered");
  const answer = end.heard.text();
  if (!answer.startsWith("HTTP/1.1 2")) throw new Error(answer);
  const rest = answer.slice(answer.indexOf("\r\n\r\n") + 4);
  end.heard.chunks.splice(0, Infinity, Buffer.from(rest, "latin1"));
  end.heard.received = rest.length;
  return end;
}

/** The connection that reaches the app next. */
export async function nextAccepted(app: TestListener, since: number): Promise<End> {
  await until(() => app.accepted.length > since, "a connection reaches the app");
  return app.accepted[since] as End;
}

export interface Both {
  readonly client: End;
  readonly app: End;
}

/** A connection from a local client through the mesh to the app. */
export async function openTo(machine: TestMachine, service: string, app: TestListener): Promise<Both> {
  const since = app.accepted.length;
  const client = await connectLocal(machine.port("caller", service));
  return { client, app: await nextAccepted(app, since) };
}

export async function openByName(machine: TestMachine, authority: string, app: TestListener): Promise<Both> {
  const since = app.accepted.length;
  const client = await connectByName(machine.port("caller"), authority);
  return { client, app: await nextAccepted(app, since) };
}
