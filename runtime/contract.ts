/**
 * The one interface between heddle and its host: sockets, time, randomness, files, processes, workers,
 * databases and native calls. Types only. The entry file picks an adapter (`runtime/bun`), nothing sniffs.
 * Every adapter passes `test/conformance/runtime`; what it cannot honour is an error at start.
 *
 * Everything here is single-threaded and callback-based on the data path: a callback runs to its end before
 * the next one starts, and no callback is called from inside the call that caused it, unless stated.
 */

export interface Runtime {
  readonly name: "bun" | "deno" | "sim";
  readonly net: Net;
  readonly ports: Ports;
  readonly clock: Clock;
  readonly random: Random;
  readonly names: Names;
  readonly files: Files;
  readonly process: ProcessHost;
  readonly workers: Workers;
  readonly databases: Databases;
  readonly native: Native;
  readonly bundler: Bundler;
}

// ---------------------------------------------------------------------------------------------- sockets

/** Why a socket or dial failed. `code` is the POSIX or TLS word (`ECONNREFUSED`, `ERR_TLS_…`), for logs only. */
export interface SocketError {
  readonly kind: "refused" | "timeout" | "reset" | "unreachable" | "tls" | "in-use" | "denied" | "other";
  readonly code: string;
  readonly message: string;
}

/** Receives what happens on one socket. A socket's handler may be replaced at any time (`socket.handler = …`). */
export interface SocketHandler {
  /** Bytes arrived. `chunk` is good until the call returns, then its memory goes elsewhere: copy what is kept. */
  data(chunk: Uint8Array): void;
  /** There is room again after a `write` that took less than it was given. */
  drain(): void;
  /** The peer sent its FIN (or close_notify); writing is still possible. Never called twice. */
  end(): void;
  /** The socket is gone, in both directions. Called exactly once, last. No error: an orderly close. */
  close(error: SocketError | null): void;
}

/** A connected stream: TCP, unix, or TLS above one of them. */
export interface Socket {
  handler: SocketHandler;
  /** This and the port stay what they are where TLS goes over a plain one (`secureServer`). */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
  /** null on a plain socket. Set before the first `data` on a TLS one. */
  readonly tls: TlsSession | null;
  /**
   * Hands bytes to the kernel now and returns how many it took: from 0 to `end - start`. Nothing is kept
   * for the caller: what was not taken must be offered again after `drain`. Returns -1 once the socket
   * is closed. Each call is one system call, and on TLS at least one record.
   */
  write(bytes: Uint8Array, start?: number, end?: number): number;
  /** Stops `data` (and so the peer, by TCP's window) until `resume`. Both are idempotent. */
  pause(): void;
  resume(): void;
  /** How much of what came the host keeps, about: no `data` brings more. A hint, for plain sockets. */
  limitInput(bytes: number): void;
  /** Half-close: FIN after all bytes taken so far. Reading goes on. */
  shutdown(): void;
  /** Closes both directions at once: what was taken is still sent, then a FIN. `close` of the handler follows. */
  destroy(): void;
  /** Like `destroy`, but the peer sees a reset and what it has not got is lost: this stream must not look complete. */
  reset(): void;
}

export interface Listener {
  /** The bound port; 0 for an adopted descriptor whose port the host cannot tell, or a unix path. */
  readonly port: number;
  /** Stops accepting. Accepted sockets live on. */
  close(): void;
}

export interface BindOptions extends ListenOptions {
  /** False: nobody can connect there before somebody adopts it. Default true: clients that connect wait until then. */
  readonly listens?: boolean;
}

/** A port that is bound, for whoever adopts its descriptor: nothing is accepted here. */
export interface BoundPort {
  readonly port: number;
  readonly descriptor: number;
  /** Gives the descriptor up. What adopted a duplicate of it, here or in another process, goes on. */
  close(): void;
}

export interface ListenOptions {
  /** An IP address. */
  readonly host: string;
  /** 0 chooses a free port. */
  readonly port: number;
  /** Several listeners (also of other processes) share the port (SO_REUSEPORT). Default false. */
  readonly reusePort?: boolean;
}

export interface Net {
  /**
   * Listens on TCP. `accept` is called for each new connection and returns its handler.
   * Throws a `ListenError` when the address cannot be bound.
   */
  listen(options: ListenOptions, accept: (socket: Socket) => SocketHandler): Listener;
  /**
   * Listens on an inherited or duplicated descriptor that is bound, and maybe listening already, and owns it from now on. Several may listen
   * on duplicates of one: each connection goes to one of them. A listener that is closed inside of `accept` takes no further one.
   */
  adopt(descriptor: number, accept: (socket: Socket) => SocketHandler): Listener;
  /** Dials. Exactly one of `opened` and `failed` is called, later; after `opened` the handler it returned takes over. */
  connect(options: ConnectOptions, dial: DialHandler): Dial;
  /**
   * Turns an accepted plain socket into the server side of TLS. The bytes that were already read (the ClientHello
   * that told which credential to use) go in `received`; the call copies them. The old handler gets nothing more.
   * Exactly one of `opened` and `failed` is called, later.
   */
  secureServer(socket: Socket, options: TlsServerOptions, received: Uint8Array, dial: DialHandler): Dial;
  /**
   * Where an accepted plain connection was going when rules of this machine (nftables) redirected it to the listener. null: it was not
   * redirected, as far as can be told, or this host cannot tell.
   */
  originalDestination(socket: Socket): OriginalDestination | null;
  /** UDP socket. Rejects when the address cannot be bound. With `reusePort` several sockets share the port, and each datagram goes to one. */
  udp(
    options: ListenOptions,
    receive: (bytes: Uint8Array, address: string, port: number) => void,
  ): Promise<UdpSocket>;
  /** The same, on an inherited or duplicated descriptor that is bound already, which it owns from now on. Rejects where the host cannot. */
  adoptUdp(
    descriptor: number,
    receive: (bytes: Uint8Array, address: string, port: number) => void,
  ): Promise<UdpSocket>;
}

/** Addresses behind names of DNS. */
export interface Names {
  /** All of them, of both families. Rejects when there is none, or nobody who would know answers. */
  resolve(name: string): Promise<readonly ResolvedAddress[]>;
}

export interface ResolvedAddress {
  readonly address: string;
  /** For which it may be gone by, milliseconds. */
  readonly ttlMs: number;
}

/** As the client called it. An IPv6 address is in its shortest form. */
export interface OriginalDestination {
  readonly host: string;
  readonly port: number;
}

/** Ports for other processes. */
export interface Ports {
  /** Another descriptor for the same port. Whoever takes it closes it. */
  duplicate(descriptor: number): number;
  /** Binds a port, for somebody who has the descriptor to accept from. Throws a `ListenError`. */
  bind(options: BindOptions): BoundPort;
}

export interface DialHandler {
  /** Connected; on TLS: the peer was verified and `accept` of the options agreed. Returns the handler from now on. */
  opened(socket: Socket): SocketHandler;
  /** Never connected, or the peer was refused. Nothing was sent above TLS. */
  failed(error: SocketError): void;
}

export interface Dial {
  /** Gives up. Neither `opened` nor `failed` is called after it. */
  cancel(): void;
}

export interface ConnectOptions {
  readonly host: string;
  readonly port: number;
  /** Local address to bind (a machine with several, or a loopback address of its own in tests). */
  readonly localAddress?: string;
  /** Path of a unix socket: instead of host and port, which are only names then. */
  readonly unix?: string;
  readonly timeoutMs: number;
  readonly tls?: TlsClientOptions;
}

/**
 * Whom a TLS peer turned out to be. Chain, validity time (resumed sessions too), key, and that it is no certificate that
 * signs others were checked before this exists.
 */
export interface PeerCertificate {
  /** URI subject alternative names, as written. */
  readonly uris: readonly string[];
  /** DER of the leaf. */
  readonly der: Uint8Array;
  /** Lower-case hex without leading `0x`. */
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface TlsSession {
  /** null only on a server that asked for none, or with `peer: "optional"` and was shown none. */
  readonly peer: PeerCertificate | null;
  /** Negotiated protocol; "" when none. */
  readonly alpn: string;
  /** What the client asked for; "" when it sent none. */
  readonly serverName: string;
  readonly resumed: boolean;
}

/** Certificate chain (leaf first) and key. One object per credential: adapters cache contexts by identity. */
export interface TlsCredential {
  readonly chainPem: string;
  readonly keyPem: string;
}

interface TlsOptions {
  /** Trusted root certificates, PEM. Empty trusts nobody. */
  readonly trustPem: readonly string[];
  /** Offered or accepted protocols in order of preference; no overlap ends the handshake. */
  readonly alpn: readonly string[];
  /** Says yes (null) or why not, after the chain was verified. Nothing is sent or delivered before it agreed. */
  readonly accept: (session: TlsSession) => string | null;
  readonly handshakeTimeoutMs: number;
}

/** TLS 1.3 only, both sides, unless a server says otherwise. */
export interface TlsServerOptions extends TlsOptions {
  /** Takes TLS 1.2 too, with ephemeral keys and authenticated encryption alone (Mozilla's "intermediate"). Absent: 1.3. */
  readonly minVersion?: "1.2";
  readonly credential: TlsCredential;
  /**
   * `required`: a peer without a certificate of a trusted root is refused. `optional`: none is fine, a bad one is refused. `none`: it is
   * not asked for any.
   */
  readonly peer: "required" | "optional" | "none";
}

export interface TlsClientOptions extends TlsOptions {
  /** Absent: no client certificate is shown. */
  readonly credential?: TlsCredential;
  readonly serverName: string;
  /**
   * `chain` verifies against `trustPem`. `unverified` accepts any certificate and hands it to `accept`, whose word is
   * all there is: only for reading a root whose pin is known (join, first step).
   */
  readonly verify: "chain" | "unverified";
}

export interface UdpSocket {
  readonly port: number;
  /** Whoever is given a duplicate can go on with it (`adoptUdp`); null where the host cannot tell. */
  readonly descriptor: number | null;
  /** Never throws: an unreachable peer loses the datagram, as UDP does. */
  send(bytes: Uint8Array, address: string, port: number): void;
  close(): void;
}

/** Thrown by `listen`. `holder` names the process that has the port, when the host can tell: `nginx (pid 812)`. */
export interface ListenError extends Error {
  readonly socketError: SocketError;
  readonly holder: string | null;
}

// ------------------------------------------------------------------------------------ time and randomness

export interface Clock {
  /** Monotonic milliseconds, fractions included; the same in all processes of a machine, where the host can tell. */
  now(): number;
  /** Milliseconds since 1970. May jump. */
  wallMs(): number;
  /** Calls once, after at least `delayMs`. Does not keep the process alive by itself when `background`. */
  after(delayMs: number, call: () => void, background?: boolean): Timer;
  /** Calls at once when the current callback has returned and pending I/O callbacks had their turn. */
  soon(call: () => void): void;
  /** Calls when the current callback has returned, before the next one starts; in the order of the calls. */
  microtask(call: () => void): void;
}

export interface Timer {
  cancel(): void;
}

export interface Random {
  /** Cryptographically strong. */
  bytes(count: number): Uint8Array;
  /** Uniform in [0, 1). Fast, not for secrets. */
  unit(): number;
}

// ------------------------------------------------------------------------------------------------- files

/** Thrown by everything of `Files`. `code` is the system's: `EACCES`, `ENOSPC`; `message` names the path and says it in words. */
export interface FileError extends Error {
  readonly path: string;
  readonly code: string;
}

export interface Files {
  /** null when it does not exist. Other failures throw a `FileError`. */
  read(path: string): Promise<Uint8Array | null>;
  readSync(path: string): Uint8Array | null;
  /** Standard input to its end, whatever it is: a file, a pipe, or a socket, which no path opens. null when it is longer. */
  readInput(bytesMax: number): Promise<Uint8Array | null>;
  /** Writes beside, fsyncs, renames over, fsyncs the folder: readers see the old or the new whole. */
  writeAtomic(path: string, bytes: Uint8Array | string, mode?: number): Promise<void>;
  /** Into the file that is there, which stays that file to whoever has it open or mounted; not whole where the power fails. Throws where there is none. */
  writeInPlace(path: string, bytes: Uint8Array | string): Promise<void>;
  append(path: string, bytes: Uint8Array | string): Promise<void>;
  /** Names in the folder, sorted; [] when it does not exist. */
  list(path: string): Promise<string[]>;
  stat(path: string): Promise<{
    readonly size: number;
    readonly modifiedMs: number;
    readonly folder: boolean;
    readonly mode: number;
    /** User that it belongs to, by number. */
    readonly owner: number;
    /** Its number in its file system. */
    readonly inode: number;
  } | null>;
  makeFolder(path: string, mode?: number): Promise<void>;
  /** Renames within one file system, over a file that is there; durable when it resolves. */
  move(from: string, to: string): Promise<void>;
  /** File or folder with all below it, and what an atomic write of it left that was cut; nothing when absent. */
  remove(path: string): Promise<void>;
  /** Calls (debounced by the host only) when anything in the folder changes. */
  watch(path: string, changed: () => void): { close(): void };
}

// --------------------------------------------------------------------------------------------- processes

export interface ProcessHost {
  readonly pid: number;
  /** Arguments after the program. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly folder: string;
  readonly home: string;
  readonly hostname: string;
  /** IP addresses of this machine's interfaces, loopback apart, IPv4 first. */
  addresses(): readonly string[];
  readonly user: number;
  /** How to start this same program again: the first words of a command line. Survives replacement of its file. */
  readonly self: readonly string[];
  /** Path of the file of this program, or of the runtime that runs its sources. */
  readonly program: string;
  /** What a person types here to start this program: `heddle` where the PATH leads to it, else a path. */
  readonly called: string;
  /** Writes whole text; loses nothing while the process lives. */
  stdout(text: string): void;
  stderr(text: string): void;
  readonly terminal: TerminalHost;
  exit(code: number): never;
  onSignal(
    signal: "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGUSR2" | "SIGWINCH" | "SIGTTIN" | "SIGTTOU",
    call: () => void,
  ): void;
  spawn(options: SpawnOptions): Child;
  /** The channel that `spawn({ channel: true })` of the parent opened to this process. */
  channel(handler: SocketHandler): Socket;
  /** Takes the next descriptor that the parent handed over, and owns it. Throws when none came: what is said on the channel after `hand` comes later. */
  handed(): number;
  /** Memory for this process and for children that are started with it, all zero. It is there until the process ends. */
  shareMemory(bytes: number): SharedMemory;
  /** That of the parent, which started this process with it. Throws without one. */
  sharedMemory(): SharedMemory;
  /** Own resident memory in bytes and CPU time in microseconds. */
  usage(): { readonly residentBytes: number; readonly cpuUs: number; readonly openDescriptors: number };
  /** Compresses (RFC 1952) beside the event loop. */
  gzip(bytes: Uint8Array): Promise<Uint8Array>;
  /** Collects garbage now and gives free memory back to the system; compiled code stays. A pause of some milliseconds. */
  collect(): void;
  /** As `collect`, and throws compiled code away, too: until it is made anew, work costs several times as much. */
  compact(): void;
  /** Makes threads of the host whose work can wait give way to ours, those that exist by now: to be called now and then. */
  yieldHelpers(): void;
  /** Resident bytes of another process of this machine; null when it is gone. */
  residentBytesOf(pid: number): number | null;
  /** Processor time of another process of this machine, all its threads, in steps of 10 ms; null when it is gone. */
  processorMsOf(pid: number): number | null;
  /** Asks for bad things that escaped: an exception nobody caught. Without it, one is printed and ends the process as failed. */
  onFault(call: (error: unknown) => void): void;
}

/** Where a person reads and types. */
export interface TerminalHost {
  /** Whether what is written goes to a terminal. */
  readonly interactive: boolean;
  /** As it is now; of a usual one where there is none. */
  readonly columns: number;
  readonly rows: number;
  /** Each key at once and unseen, Ctrl-C too (`\x03`), until it is closed: then lines are typed as before. */
  keys(pressed: (text: string) => void): { close(): void };
}

/** One stretch of memory that several processes have: what one writes the others read. */
export interface SharedMemory {
  readonly bytes: ArrayBuffer;
}

export interface SpawnOptions {
  readonly command: readonly string[];
  /** The whole environment of the child: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly folder?: string;
  /** Opens a socket pair; the child finds its end by `process.channel`. */
  readonly channel?: boolean;
  /** The child can be handed descriptors while it runs (`Child.hand`). */
  readonly takesDescriptors?: boolean;
  /** The child has this memory too, and finds it by `process.sharedMemory`. */
  readonly memory?: SharedMemory;
  /** It and all that it starts can be ended together: what `kill` sends goes to each of them (setsid(2), kill(2)). */
  readonly group?: boolean;
  /**
   * It is no child of this process: what takes in processes without a parent (the first of the machine, the manager of a user) is its
   * parent, and it goes on when this one ends. As with `group`, and `exited` is called once it has been let go; its end is told by its
   * channel, after which nothing reaches it. Name its program by a path: `self` is somebody else there.
   */
  readonly apart?: boolean;
  /** Lines or `inherit`. Default: discarded. */
  readonly output?: "inherit" | ((text: string, stream: "stdout" | "stderr") => void);
  readonly exited: (code: number | null, signal: string | null) => void;
}

export interface Child {
  readonly pid: number;
  kill(signal: "SIGTERM" | "SIGKILL" | "SIGINT" | "SIGHUP" | "SIGSTOP" | "SIGCONT"): void;
  /** Takes over the parent's end of the socket pair. Call once, right after `spawn`. */
  channel(handler: SocketHandler): Socket;
  /** Hands over a duplicate of this descriptor; the child takes it by `process.handed`. False: the child is gone, or has 100 that it has not taken. */
  hand(descriptor: number): boolean;
}

// --------------------------------------------------------------------------------- workers and databases

export interface Workers {
  /** `entry` is a module path from the root of the sources: `src/policy/worker.ts`. */
  start(entry: string, handler: WorkerHandler): WorkerThread;
  /** The other side, inside a worker. */
  parent(receive: (message: unknown) => void): { send(message: unknown): void };
}

export interface WorkerHandler {
  message(message: unknown): void;
  /** The worker ended by itself or by a fault. Not called after `terminate`. */
  ended(reason: string): void;
}

export interface WorkerThread {
  send(message: unknown): void;
  /** Stops it, whatever it is doing. */
  terminate(): void;
}

export type SqlValue = string | number | bigint | Uint8Array | null;

export interface Databases {
  /** SQLite file, WAL, synchronous FULL. `:memory:` for none. Throws, naming the path, if it is not a database. */
  open(path: string): Database;
}

export interface Database {
  /** Runs statements without results. */
  execute(sql: string): void;
  prepare<Row extends Record<string, SqlValue>>(sql: string): Statement<Row>;
  /** All or nothing; what `work` throws rolls back and is thrown on. */
  transaction<T>(work: () => T): T;
  /** Whoever closes last leaves one file with all that was committed. No statement may be used afterwards. */
  close(): void;
}

export interface Statement<Row extends Record<string, SqlValue>> {
  run(...values: SqlValue[]): { readonly changes: number };
  get(...values: SqlValue[]): Row | null;
  all(...values: SqlValue[]): Row[];
}

// ------------------------------------------------------------------------------------------------ native

/** Calls into the C library of the host. Present on Linux with glibc only: `library` throws elsewhere. */
export interface Native {
  /** True when this host offers native calls at all. */
  readonly available: boolean;
  /** Of the processor: numbers of system calls and of some flags depend on it. */
  readonly architecture: "x64" | "arm64" | "other";
  /** `symbols` maps a name to its argument kinds and result. */
  library<S extends Record<string, NativeSignature>>(
    path: string,
    symbols: S,
  ): { readonly [K in keyof S]: (...values: (number | bigint | Uint8Array)[]) => number };
  /** Where the bytes lie, for structures that hold pointers. Good while the array is kept and used after the call. */
  address(bytes: Uint8Array): bigint;
  /** Last errno of this thread. */
  errno(): number;
}

export interface NativeSignature {
  /** `buffer` passes the address of the bytes. */
  readonly args: readonly ("i32" | "u32" | "i64" | "u64" | "buffer")[];
  readonly returns: "i32" | "i64" | "void";
}

// ----------------------------------------------------------------------------------------------- bundler

/** Works on modules that are in memory. Reads no file, runs nothing of what it is given: macros are off. */
export interface Bundler {
  /** What the text would load, names decoded, in its order, imports that nothing uses too; or what is wrong with the text. */
  importsOf(text: string): ModuleImports;
  /** One TypeScript module as plain JavaScript. Its imports stay, those that nothing uses go, as TypeScript has it. */
  plain(path: string, text: string): Promise<BundleResult>;
  bundle(options: BundleOptions): Promise<BundleResult>;
}

export type ModuleImports =
  | { readonly imports: readonly ModuleImport[]; readonly problems: readonly [] }
  | { readonly imports: null; readonly problems: readonly BundleProblem[] };

export interface ModuleImport {
  readonly name: string;
  /** The runtime's word: `import-statement` for `import … from` and `export … from`. */
  readonly kind: string;
}

export interface BundleOptions {
  /** By absolute path: `/policy/main.ts`. */
  readonly files: Readonly<Record<string, BundleFile>>;
  /** Path of the module that is run. */
  readonly entry: string;
  /** What names that are no relative path mean: `valibot` to a path. Every other name is a problem. */
  readonly names: Readonly<Record<string, string>>;
}

export interface BundleFile {
  readonly text: string;
  readonly language: "ts" | "js";
}

export interface BundleResult {
  /** A bundle is a classic script without imports and exports. null when there are problems. */
  readonly text: string | null;
  /** Source map (version 3) of the text, JSON. */
  readonly map: string;
  /** Errors, each with its place as far as it is known: lines and columns count from 1, 0 when unknown. */
  readonly problems: readonly BundleProblem[];
}

export interface BundleProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}
