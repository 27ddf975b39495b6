/** A receiver of traces by OTLP/HTTP: JSON is read here; protobuf is read by a program made of the protocol's published definitions. */

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
  readonly status?: { readonly code?: number; readonly message?: string };
  /** Of its resource. */
  readonly machine: string;
}

interface Told {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: ReceivedSpan["attributes"] };
    readonly scopeSpans: readonly { readonly spans: readonly Omit<ReceivedSpan, "machine">[] }[];
  }[];
}

export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  /** Bodies that came, as they came. */
  readonly bodies: { readonly type: string; readonly encoding: string; readonly bytes: Uint8Array }[] = [];
  readonly #server: ReturnType<typeof Bun.serve>;

  constructor(hostname: string) {
    this.#server = Bun.serve({ hostname, port: 0, fetch: (request) => this.#take(request) });
  }

  get url(): string {
    return `http://${this.#server.hostname}:${this.#server.port}`;
  }

  stop(): Promise<void> {
    return this.#server.stop(true);
  }

  of(traceId: string): ReceivedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId);
  }

  async #take(request: Request): Promise<Response> {
    if (new URL(request.url).pathname !== "/v1/traces") return new Response("", { status: 404 });
    const encoding = request.headers.get("content-encoding") ?? "";
    const raw = new Uint8Array(await request.arrayBuffer());
    const bytes = encoding === "gzip" ? Bun.gunzipSync(raw) : raw;
    const type = request.headers.get("content-type") ?? "";
    this.bodies.push({ type, encoding, bytes });
    if (type !== "application/json")
      return new Response(new Uint8Array(0), { headers: { "content-type": type } });
    for (const { resource, scopeSpans } of (JSON.parse(new TextDecoder().decode(bytes)) as Told)
      .resourceSpans) {
      const machine = String(
        resource.attributes.find(({ key }) => key === "host.name")?.value["stringValue"],
      );
      for (const { spans } of scopeSpans) this.spans.push(...spans.map((span) => ({ ...span, machine })));
    }
    return Response.json({});
  }
}
