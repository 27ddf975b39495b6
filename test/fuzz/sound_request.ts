/** What any backend may rely on in a request that comes from a proxy, whatever its client sent. */
import type { Message } from "../conformance/http1/message.ts";
import { must } from "./target.ts";

export function expectSound({ line, fields }: Message): void {
  must(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32} [\x21-\x7e]+ HTTP\/1\.1$/.test(line), `a request line: ${line}`);
  const names = fields.map((field) => field.slice(0, field.indexOf(":")));
  for (const field of fields)
    must(
      /^[!#$%&'*+\-.^_`|~0-9a-z]+: (?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/.test(
        field,
      ),
      `a field: ${JSON.stringify(field)}`,
    );
  const count = (name: string): number => names.filter((each) => each === name).length;
  must(count("host") === 1, "not one Host");
  must(count("content-length") + count("transfer-encoding") <= 1, "framed twice");
  for (const name of ["keep-alive", "te", "proxy-connection", "content_length", "transfer_encoding"])
    must(count(name) === 0, `${name} crosses the hop`);
}
