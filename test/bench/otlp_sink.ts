/** Takes all that is sent by OTLP/HTTP and says that it did: `bun otlp_sink.ts HOST PORT`. */
const [hostname = "127.0.0.1", port = "4318"] = process.argv.slice(2);
const type = "application/x-protobuf";

Bun.serve({
  hostname,
  port: Number(port),
  async fetch(request) {
    await request.arrayBuffer();
    return new Response(new Uint8Array(0), { headers: { "content-type": type } });
  },
});
