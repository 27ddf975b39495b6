/**
 * What of the contract Deno 2.9.6 does not keep, test by test of test/conformance/runtime, each with its reason. A test that passes must
 * leave the list; a new one may enter it only with a reason that lies in the host.
 */
export interface DenoFailure {
  readonly reason: string;
  /** False: the host keeps it or not by the luck of time, so neither is held against it. */
  readonly always: boolean;
}

const always = (reason: string): DenoFailure => ({ reason, always: true });
const byLuck = (reason: string): DenoFailure => ({ reason, always: false });

const noDescriptors = always("Deno gives a child no descriptor beyond its three, so there is no channel");
const chainWord = always(
  "the library of the host has one word for many faults of a chain: it is refused, with another code",
);
const restIsLost = byLuck("after a pause of a stream that is full, its rest may not come");
const tlsEnd = "below TLS a reset looks like an end, or is not told at all";

export const denoFailures: Readonly<Record<string, DenoFailure>> = {
  "a child > speaks over its channel, with the whole environment given": noDescriptors,
  "a child > that is killed closes its channel": noDescriptors,
  "a child > serves a port that it is handed, and writes to memory that it was started with": noDescriptors,
  "a child > that is let go is no child, goes on with what it was given, and ends with all that it has started":
    noDescriptors,
  "a listener > that is bound and not listened at leaves whoever connects to another one on the port, until it is adopted":
    always("it binds and listens in one, and adopts no descriptor"),
  "a listener > that is closed inside of accept takes no further one: another one on the same port gets the rest":
    always("what waits is taken all at once, and told of afterwards"),
  "a reset > that a write hears of first is a reset all the same": always(
    "a write is told to have been taken",
  ),
  "a reset > reaches an end that has paused": always("an end that does not read hears of nothing"),
  "pause > keeps the peer from sending more than the kernel buffers, and delivers nothing": always(
    "a write is taken in parts, with a drain for each",
  ),
  "pause > inside data stops it at once, and nothing is lost or out of order": byLuck(
    "many writes may arrive as one piece, and then there is one pause",
  ),
  "a server that requires a certificate > refuses one that may sign others": chainWord,
  "a client > refuses an expired server": chainWord,
  "a client > refuses a server whose certificate may sign others": chainWord,
  "a client > refuses whom its owner does not accept, and not a byte reaches either side": always(tlsEnd),
  "sockets that all ask for it share a port, and one that does not is refused it": always(
    "sockets of datagrams do not share a port: reusePort of node:dgram is not looked at",
  ),
  "a TLS stream > tells a reset from an orderly end": always(tlsEnd),
  "a TLS stream > that is paused keeps the peer from sending without end": restIsLost,
  "a TLS stream > carries 64 MiB up to a reader that pauses, without losing or changing a byte": restIsLost,
  "a TLS stream > carries 64 MiB down to a reader that pauses, without losing or changing a byte": restIsLost,
  "a resumed session > spares the handshake and still tells and asks who is there": always(
    "a client's session is a placeholder, and never resumed",
  ),
  "a resumed session > ends with the certificate of either side": byLuck(tlsEnd),
};
