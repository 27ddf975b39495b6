/** What a descriptor that is written to says of its reader, without a wait (poll(2)). */
import type { Native } from "../../runtime/contract.ts";

/** `room`: a write of up to 4,096 bytes (PIPE_BUF) does not wait; `full`: it would; `closed`: nobody reads any more. */
export type OutputState = "room" | "full" | "closed";

// From the Linux headers.
const pollOut = 0x4;
const pollGone = 0x8 | 0x10 | 0x20;

/** What looks. Where the host has no native calls, nothing is known, and a write may wait: `room`. */
export function outputLook(native: Native): (descriptor: number) => OutputState {
  if (!native.available) return () => "room";
  const { poll } = native.library("libc.so.6", {
    poll: { args: ["buffer", "u64", "i32"], returns: "i32" },
  });
  const asked = new Uint8Array(8);
  const view = new DataView(asked.buffer);
  return (descriptor) => {
    view.setInt32(0, descriptor, true);
    view.setInt16(4, pollOut, true);
    if (poll(asked, 1, 0) < 0) return "full";
    const told = view.getInt16(6, true);
    if ((told & pollGone) !== 0) return "closed";
    return (told & pollOut) === 0 ? "full" : "room";
  };
}
