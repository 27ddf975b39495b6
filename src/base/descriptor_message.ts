/** A datagram with room for one descriptor beside its bytes (sendmsg(2); SCM_RIGHTS, unix(7)), as it lies in memory where words have 64 bits. */

/** From the Linux headers: SOL_SOCKET, SCM_RIGHTS. */
const [socketLevel, rights] = [1, 1] as const;
/** Of struct msghdr, struct iovec and a struct cmsghdr with one descriptor. */
const [headerBytes, vectorBytes, controlBytes] = [56, 16, 24] as const;
/** A control message without its padding. */
const controlLength = 20;

export class DescriptorMessage {
  /** `struct msghdr`, for sendmsg and recvmsg. Good while this is kept: it points to the rest. */
  readonly header = new Uint8Array(headerBytes);
  readonly #control = new Uint8Array(controlBytes);
  /** What the header leads to. */
  readonly kept: readonly (Uint8Array | null)[];

  /** `address`: where bytes lie. `to`: the address of who gets it, where the socket is not connected. */
  constructor(address: (bytes: Uint8Array) => bigint, body: Uint8Array, to: Uint8Array | null = null) {
    const vector = new Uint8Array(vectorBytes);
    const view = viewOf(vector);
    view.setBigUint64(0, address(body), true);
    view.setBigUint64(8, BigInt(body.length), true);
    const control = viewOf(this.#control);
    control.setBigUint64(0, BigInt(controlLength), true);
    control.setInt32(8, socketLevel, true);
    control.setInt32(12, rights, true);
    const header = viewOf(this.header);
    if (to !== null) {
      header.setBigUint64(0, address(to), true);
      header.setUint32(8, to.length, true);
    }
    header.setBigUint64(16, address(vector), true);
    header.setBigUint64(24, 1n, true);
    header.setBigUint64(32, address(this.#control), true);
    header.setBigUint64(40, BigInt(controlBytes), true);
    this.kept = [body, vector, to];
  }

  get descriptor(): number {
    return viewOf(this.#control).getInt32(16, true);
  }

  set descriptor(descriptor: number) {
    viewOf(this.#control).setInt32(16, descriptor, true);
  }

  /** Of one that was received: whether a descriptor came with it. */
  get hasDescriptor(): boolean {
    const control = viewOf(this.#control);
    const isOne = control.getInt32(8, true) === socketLevel && control.getInt32(12, true) === rights;
    return isOne && viewOf(this.header).getBigUint64(40, true) >= BigInt(controlLength);
  }

  /** Of one that was received: what the kernel says of it. */
  get flags(): number {
    return viewOf(this.header).getInt32(48, true);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer);
}
