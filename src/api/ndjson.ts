/** Streams of the control APIs: one JSON message per line, heartbeats in between, a bounded queue per listener. */
import type { Clock, Timer } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";

export interface LineStream {
  /** False: the listener is too slow and was cut off; it will resume. */
  send(message: unknown): boolean;
  /** The same of a message that is written already, as JSON. */
  sendText(text: string): boolean;
  close(): void;
}

export interface LineStreamOptions {
  readonly clock: Clock;
  readonly heartbeat: () => unknown;
  /** The listener left, was too slow, or `close` was called. Once. */
  readonly closed: () => void;
}

/** `begin` gets the stream to write to; the result is the answer. */
export function lineStream(options: LineStreamOptions, begin: (stream: LineStream) => void): Response {
  const encoder = new TextEncoder();
  let timer: Timer | null = null;
  let open = true;
  let controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  const finish = (): void => {
    if (!open) return;
    open = false;
    timer?.cancel();
    options.closed();
  };
  const stream: LineStream = {
    send: (message) => stream.sendText(JSON.stringify(message)),
    sendText: (text) => {
      if (!open || controller === null) return false;
      controller.enqueue(encoder.encode(`${text}\n`));
      if ((controller.desiredSize ?? 0) >= 0) return true;
      stream.close();
      return false;
    },
    close: () => {
      if (!open) return;
      finish();
      controller?.close();
    },
  };
  const beat = (): void => {
    timer = options.clock.after(
      limits.streamHeartbeatMs,
      () => {
        if (stream.send(options.heartbeat())) beat();
      },
      true,
    );
  };
  const body = new ReadableStream<Uint8Array>(
    {
      start: (started) => {
        controller = started;
        begin(stream);
        beat();
      },
      cancel: finish,
    },
    { highWaterMark: limits.streamQueueBytesMax, size: (chunk) => chunk?.byteLength ?? 0 },
  );
  return new Response(body, { headers: { "content-type": "application/x-ndjson" } });
}
