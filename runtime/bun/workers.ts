/** Workers: threads of this process that share nothing and speak by messages. */
import type { Workers } from "../contract.ts";
import { workerModule } from "./program.ts";

/** Inside a worker: the thread that started it. */
declare const self: Worker;

export const workers: Workers = {
  start(entry, handler) {
    const worker = new Worker(workerModule(entry));
    let over = false;
    const ended = (reason: string): void => {
      if (over) return;
      over = true;
      handler.ended(reason);
    };
    worker.onmessage = (event: MessageEvent) => {
      if (!over) handler.message(event.data);
    };
    worker.onerror = (event: ErrorEvent) => {
      event.preventDefault();
      ended(event.message);
      worker.terminate();
    };
    worker.addEventListener("close", () => ended("The worker exited"));
    return {
      send: (message) => worker.postMessage(message),
      terminate() {
        over = true;
        worker.terminate();
      },
    };
  },
  parent(receive) {
    self.addEventListener("message", (event: MessageEvent) => receive(event.data));
    return { send: (message) => self.postMessage(message) };
  },
};
