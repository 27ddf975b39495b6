/** Character classes of RFC 9110 and 9112 as one table, and the problems a head can have. */

/** May stand in a token (RFC 9110 section 5.6.2). */
export const tokenBit = 1;
/** May stand in a field value: HTAB, SP, visible ASCII, 0x80 to 0xFF (RFC 9110 section 5.5, obs-text kept as it is). */
export const valueBit = 2;
/** May stand in a request target: visible ASCII but `#`. */
export const targetBit = 4;
/** May stand in a host or port. */
const hostBit = 8;

export const classes: Uint8Array = (() => {
  const table = new Uint8Array(256);
  const mark = (letters: string, bit: number): void => {
    for (const letter of letters) table[letter.charCodeAt(0)] = (table[letter.charCodeAt(0)] as number) | bit;
  };
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  mark(`${letters}!#$%&'*+-.^_\`|~`, tokenBit);
  mark(`${letters}-._~[]:`, hostBit);
  for (let code = 0x21; code < 0x7f; code++)
    if (code !== 0x23) table[code] = (table[code] as number) | targetBit;
  for (let code = 0; code < 256; code++) {
    if (code === 9 || (code >= 0x20 && code !== 0x7f)) table[code] = (table[code] as number) | valueBit;
  }
  return table;
})();

/** Why a message is refused. `status` is what a server answers; towards a client any problem of an answer is a 502. */
export interface Problem {
  readonly status: number;
  readonly reason: string;
  /** Name in the limits table when a limit tripped. */
  readonly limit: string | null;
}

function problem(status: number, reason: string, limit: string | null = null): Problem {
  return { status, reason, limit };
}

export const problems = {
  requestLine: problem(400, "the request line is malformed"),
  statusLine: problem(400, "the status line is malformed"),
  lineEnd: problem(400, "a line does not end with CR LF"),
  version: problem(505, "this HTTP version is not spoken here, only 1.0 and 1.1"),
  method: problem(501, "the method is longer than any known one", "methodBytesMax"),
  protocol: problem(501, "the protocol that is asked for by Extended CONNECT is not known"),
  datagrams: problem(501, "heddle carries no datagrams and no packets (connect-udp, connect-ip)"),
  target: problem(400, "the request target is malformed"),
  targetLong: problem(414, "the request target is too long", "targetBytesMax"),
  headLong: problem(431, "the header section is too large", "requestHeadBytesMax"),
  fieldCount: problem(431, "there are too many header fields", "fieldCountMax"),
  fieldName: problem(400, "a field name is malformed"),
  fieldValue: problem(400, "a field value holds a control character"),
  fold: problem(400, "a field is folded over several lines"),
  host: problem(400, "exactly one valid Host field is required"),
  length: problem(400, "Content-Length is not one plain number"),
  lengthTwice: problem(400, "there is more than one Content-Length"),
  coding: problem(400, "Transfer-Encoding is not exactly chunked"),
  codingUnknown: problem(501, "this transfer coding is not known"),
  conflict: problem(400, "Content-Length and Transfer-Encoding contradict each other"),
  connectionOption: problem(400, "a Connection option names a field that must not be dropped"),
  handshake: problem(400, "a WebSocket handshake is a GET with Sec-WebSocket-Version: 13"),
  expectation: problem(417, "this expectation cannot be met, only 100-continue"),
  chunk: problem(400, "the chunked body is malformed"),
  chunkExtension: problem(400, "chunk extensions are too long", "chunkExtensionsBytesMax"),
  trailer: problem(400, "a trailer field is malformed"),
  trailerLong: problem(431, "the trailer section is too large", "trailerBytesMax"),
} as const satisfies Record<string, Problem>;
