/** Lines of a shard on their way to its keeper, which writes them: what is beyond its room is dropped, whole lines, and counted. */
import { limits } from "../../model/limits.ts";
import type { Lines } from "../proxy_logs.ts";
import type { FromShard } from "./messages.ts";

export interface ShardLinesOptions {
  readonly to: 1 | 2;
  readonly send: (message: FromShard) => void;
  /** What the keeper has not taken yet. */
  readonly backlogBytes: () => number;
}

export class ShardLines implements Lines {
  lost = 0;

  constructor(readonly options: ShardLinesOptions) {}

  write(text: string): void {
    const { to, send, backlogBytes } = this.options;
    if (text === "") return;
    if (backlogBytes() <= limits.shardBacklogBytesMax) send({ kind: "lines", to, text });
    else this.lost += text.split("\n").length - 1;
  }

  flush(): void {}
}
