/** Messages of D-Bus (D-Bus specification, "Message Protocol"), as far as following units takes them: calls with strings, and answers. */

export interface BusCall {
  readonly serial: number;
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly strings: readonly string[];
}

export interface BusMessage {
  readonly kind: "call" | "return" | "error" | "signal";
  /** Of the call that it answers; 0: none. */
  readonly replyTo: number;
  readonly path: string;
  readonly member: string;
  /** The first thing of its body, where that is a string, or a variant that holds one; null otherwise. */
  readonly text: string | null;
}

const kinds = ["call", "return", "error", "signal"] as const;
const fields = { path: 1, interface: 2, member: 3, replyTo: 5, destination: 6, signature: 8 } as const;
const headBytes = 16;
const littleEndian = 0x6c;

class Writer {
  readonly bytes: number[] = [];

  pad(to: number): void {
    while (this.bytes.length % to !== 0) this.bytes.push(0);
  }

  number(value: number): void {
    this.pad(4);
    this.bytes.push(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, (value >>> 24) & 0xff);
  }

  string(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.number(bytes.length);
    this.bytes.push(...bytes, 0);
  }

  signature(text: string): void {
    this.bytes.push(text.length, ...new TextEncoder().encode(text), 0);
  }
}

export function busCall({ serial, destination, path, interface: of, member, strings }: BusCall): Uint8Array {
  const body = new Writer();
  for (const text of strings) body.string(text);
  const array = new Writer();
  const field = (code: number, type: string, value: string): void => {
    array.pad(8);
    array.bytes.push(code);
    array.signature(type);
    if (type === "g") array.signature(value);
    else array.string(value);
  };
  field(fields.path, "o", path);
  field(fields.interface, "s", of);
  field(fields.member, "s", member);
  field(fields.destination, "s", destination);
  if (strings.length > 0) field(fields.signature, "g", "s".repeat(strings.length));
  const message = new Writer();
  message.bytes.push(littleEndian, 1, 0, 1);
  message.number(body.bytes.length);
  message.number(serial);
  message.number(array.bytes.length);
  message.bytes.push(...array.bytes);
  message.pad(8);
  return Uint8Array.from([...message.bytes, ...body.bytes]);
}

/** How long the message is that begins there; null: more bytes are needed to tell. Throws for what is no message that a manager of this machine sends. */
export function busMessageLength(bytes: Uint8Array): number | null {
  if (bytes.length < headBytes) return null;
  if (bytes[0] !== littleEndian) throw new Error("it is not in the byte order of this machine");
  const view = viewOf(bytes);
  return paddedTo8(headBytes + view.getUint32(12, true)) + view.getUint32(4, true);
}

/** One whole message. Throws a RangeError where its lengths contradict each other. */
export function readBusMessage(bytes: Uint8Array): BusMessage {
  const view = viewOf(bytes);
  const fieldsEnd = headBytes + view.getUint32(12, true);
  const found = { replyTo: 0, path: "", member: "", signature: "" };
  let at = headBytes;
  while (at < fieldsEnd) {
    at = paddedTo8(at);
    const code = view.getUint8(at);
    const type = stringAt(bytes, at + 2, view.getUint8(at + 1));
    at += 3 + type.length;
    if (type === "g") {
      const length = view.getUint8(at);
      if (code === fields.signature) found.signature = stringAt(bytes, at + 1, length);
      at += length + 2;
      continue;
    }
    at = paddedTo4(at);
    const value = view.getUint32(at, true);
    at += 4;
    if (type === "u") {
      if (code === fields.replyTo) found.replyTo = value;
      continue;
    }
    if (code === fields.path) found.path = stringAt(bytes, at, value);
    if (code === fields.member) found.member = stringAt(bytes, at, value);
    at += value + 1;
  }
  const kind = kinds[view.getUint8(1) - 1] ?? "error";
  const { signature, ...rest } = found;
  return { kind, ...rest, text: textOf(bytes, view, paddedTo8(fieldsEnd), signature) };
}

function textOf(bytes: Uint8Array, view: DataView, start: number, signature: string): string | null {
  let at = start;
  let type = signature[0];
  if (type === "v") {
    type = stringAt(bytes, at + 1, view.getUint8(at));
    at = paddedTo4(at + type.length + 2);
  }
  return type === "s" || type === "o" ? stringAt(bytes, at + 4, view.getUint32(at, true)) : null;
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

function stringAt(bytes: Uint8Array, at: number, length: number): string {
  return new TextDecoder().decode(bytes.subarray(at, at + length));
}

function paddedTo8(at: number): number {
  return (at + 7) & ~7;
}

function paddedTo4(at: number): number {
  return (at + 3) & ~3;
}
