/** Attributes as fields of a message of OTLP (opentelemetry/proto/common/v1/common.proto); those of spans quicker than any others. */
import { ownNames, type AttributeSink } from "../trace/span.ts";
import { ProtoWriter } from "./proto_writer.ts";

/** Of a span. */
export const attributesField = 9;
/** Of a value. */
const values = { flag: 2, whole: 3, double: 4 } as const;

/** Attributes as fields of a message. */
export class AttributeFields implements AttributeSink {
  constructor(
    protected readonly to: ProtoWriter,
    protected readonly field: number,
  ) {}

  text(name: string, value: string): void {
    this.to.pair(this.field, name, value);
  }

  figure(name: string, value: number): void {
    if (Number.isSafeInteger(value) && value >= 0) this.to.uintPair(this.field, name, values.whole, value);
    else this.to.doublePair(this.field, name, values.double, value);
  }

  flag(name: string, value: boolean): void {
    this.to.uintPair(this.field, name, values.flag, value ? 1 : 0);
  }

  /** All was said. False: it could not be written so. */
  end(): boolean {
    return true;
  }
}

/** Those of a span, which note where what differs between requests stands. */
export class MarkedFields extends AttributeFields {
  constructor(to: ProtoWriter) {
    super(to, attributesField);
  }

  requestIdEnd = 0;
  figuresStart = 0;
  figuresEnd = 0;

  override text(name: string, value: string): void {
    super.text(name, value);
    if (name === ownNames.requestId) this.requestIdEnd = this.to.length;
  }

  override figure(name: string, value: number): void {
    if (name === ownNames.bytesIn) this.figuresStart = this.to.length;
    super.figure(name, value);
    this.figuresEnd = this.to.length;
  }
}

/**
 * Those of a span where texts come first and are of ASCII: then they are ASCII with all that is around them, too, as long as they are short, and
 * one string of all of them is written at once.
 */
export class TextFields extends AttributeFields {
  constructor(to: ProtoWriter) {
    super(to, attributesField);
  }

  #texts = "";
  #isAscii = true;

  override text(name: string, value: string): void {
    const heads = headsOf(name);
    if (value.length < heads.length) this.#texts += (heads[value.length] as string) + value;
    else {
      this.#flush();
      super.text(name, value);
    }
  }

  override figure(name: string, value: number): void {
    this.#flush();
    super.figure(name, value);
  }

  override flag(name: string, value: boolean): void {
    this.#flush();
    super.flag(name, value);
  }

  override end(): boolean {
    this.#flush();
    return this.#isAscii;
  }

  #flush(): void {
    if (this.#texts !== "" && !this.to.ascii(this.#texts)) this.#isAscii = false;
    this.#texts = "";
  }
}

/** What stands before a value of so many bytes, by names: of all lengths with which it is of ASCII. Names are few, and heddle's own. */
const headsByName = new Map<string, readonly string[]>();

function headsOf(name: string): readonly string[] {
  const known = headsByName.get(name);
  if (known !== undefined) return known;
  const made: string[] = [];
  const writer = new ProtoWriter();
  for (let length = 0; ; length++) {
    const value = "x".repeat(length);
    writer.reset();
    writer.pair(attributesField, name, value);
    const text = String.fromCharCode(...writer.written);
    if (/[^\x00-\x7f]/.test(text)) break;
    made.push(text.slice(0, text.length - length));
  }
  headsByName.set(name, made);
  return made;
}
