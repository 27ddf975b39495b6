/** What this adapter takes of Deno beside Node's interfaces: the calls into the C library. Deno's own types are not installed. */

interface DenoHost {
  dlopen(
    path: string,
    symbols: Readonly<Record<string, { readonly parameters: readonly string[]; readonly result: string }>>,
  ): { readonly symbols: Readonly<Record<string, (...values: (number | bigint | Uint8Array)[]) => unknown>> };
  readonly UnsafePointer: {
    of(bytes: Uint8Array): unknown;
    value(pointer: unknown): bigint;
  };
  readonly UnsafePointerView: new (pointer: unknown) => { getInt32(): number };
}

export const deno: DenoHost = (globalThis as unknown as { readonly Deno: DenoHost }).Deno;
