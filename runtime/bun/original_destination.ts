/** Where a redirected connection was going, as the kernel tells of its accepted socket (SO_ORIGINAL_DST, IP6T_SO_ORIGINAL_DST). */
import type { OriginalDestination } from "../contract.ts";
import { socketPlaceIn } from "../shared/socket_place.ts";
import { createNative } from "./native.ts";

/** SOL_IP and SOL_IPV6; both call the option by the same number. */
const levels = [0, 41] as const;
const originalDestinationOption = 80;
/** `struct sockaddr_in6`, the longer one. */
const placeBytes = 28;

/** Makes what asks, loaded when it is first used: few processes ever do. */
export function originalDestinations(): (descriptor: number) => OriginalDestination | null {
  const native = createNative();
  let ask: ((...values: (number | bigint | Uint8Array)[]) => number) | null = null;
  const place = new Uint8Array(placeBytes);
  const length = new Int32Array(1);
  const lengthBytes = new Uint8Array(length.buffer);
  return (descriptor) => {
    if (!native.available) return null;
    ask ??= native.library("libc.so.6", {
      getsockopt: { args: ["i32", "i32", "i32", "buffer", "buffer"], returns: "i32" },
    }).getsockopt;
    for (const level of levels) {
      length[0] = placeBytes;
      if (ask(descriptor, level, originalDestinationOption, place, lengthBytes) === 0)
        return socketPlaceIn(place);
    }
    return null;
  };
}
