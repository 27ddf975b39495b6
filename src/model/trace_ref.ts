/** Where the span of one hop stands in its trace. */
export interface TraceRef {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** Of this hop: 16 hexadecimal digits. */
  readonly spanId: string;
  /** Of the span that caused it; "" where the trace begins here. */
  readonly parentId: string;
  /** Whether it is kept whatever becomes of the request. */
  readonly sampled: boolean;
  readonly random: boolean;
  /** Members of tracestate that are not heddle's. */
  readonly state: string;
}
