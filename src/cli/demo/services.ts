/**
 * The services of the demo: plain HTTP, no library of ours in their calls. They find each other by \`http://<name>.mesh/\`
 * through the \`http_proxy\` that their environment names, and pass on what ties a request together.
 */

interface Context {
  readonly version: string;
  readonly instance: string;
}

type Handler = (request: Request, context: Context) => Response | Promise<Response>;

const passedOn = ["x-request-id", "x-user-group"];

/** Calls another service of the mesh with the headers that belong to the request being served. */
function call(request: Request, url: string): Promise<Response> {
  const headers: Record<string, string> = {};
  for (const name of passedOn) {
    const value = request.headers.get(name);
    if (value !== null) headers[name] = value;
  }
  return fetch(url, { headers });
}

async function required(answer: Response): Promise<Response> {
  if (answer.ok) return answer;
  throw new Error(`${answer.status}: ${(await answer.text()).trim()}`);
}

async function gateway(request: Request): Promise<Response> {
  const answer = await call(request, `http://orchestrator.mesh/answer${new URL(request.url).search}`);
  return new Response(await answer.text(), {
    status: answer.status,
    headers: { "content-type": "application/json" },
  });
}

/** Embeds the question, searches, reads a document, and lets the model speak. */
async function orchestrator(request: Request): Promise<Response> {
  const question = new URL(request.url).searchParams.get("q") ?? "";
  const query = `?q=${encodeURIComponent(question)}`;
  await required(await call(request, `http://embedding.mesh/embed${query}`));
  const found = (await (await required(await call(request, `http://search.mesh/search${query}`))).json()) as {
    documents: string[];
    by: string;
  };
  await required(await call(request, `http://storage.mesh/documents/${found.documents[0]}`));
  const spoken = await required(await call(request, `http://inference.mesh/generate${query}`));
  const text = await spoken.text();
  const tokens = [...text.matchAll(/^data: (.*)$/gm)].map((match) => match[1]);
  return Response.json({
    answer: tokens.join(" "),
    model: spoken.headers.get("x-model"),
    searchedBy: found.by,
  });
}

function embedding(request: Request): Response | Promise<Response> {
  const url = new URL(request.url);
  if (url.pathname === "/steal") return call(request, "http://storage.mesh/documents/secret");
  return Response.json({
    vector: [...(url.searchParams.get("q") ?? "")].map((letter) => letter.charCodeAt(0) / 128),
  });
}

function search(_request: Request, context: Context): Response {
  return Response.json({ documents: ["loom", "warp"], by: context.instance });
}

function storage(request: Request): Response {
  return Response.json({
    path: new URL(request.url).pathname,
    text: "A heddle guides each thread of the warp.",
  });
}

const sentence: Readonly<Record<string, string>> = {
  v1: "A heddle guides each thread of the loom",
  v2: "In a loom , a heddle is what guides each single thread ( says v2 )",
};

/** Streams its tokens as server-sent events, as inference servers do. */
function inference(_request: Request, context: Context): Response {
  const tokens = (sentence[context.version] ?? "").split(" ");
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      const encoder = new TextEncoder();
      for (const token of tokens) {
        controller.enqueue(encoder.encode(`data: ${token}\n\n`));
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      controller.close();
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream", "x-model": context.version } });
}

const handlers: Readonly<Record<string, Handler>> = {
  gateway,
  orchestrator,
  embedding,
  search,
  storage,
  inference,
};

/** The handler of one role; null when there is no such role. */
export function demoService(
  role: string,
  context: Context,
): ((request: Request) => Promise<Response>) | null {
  const handler = handlers[role];
  if (handler === undefined) return null;
  return async (request) => {
    if (new URL(request.url).pathname === "/healthz") return new Response("ok\n");
    try {
      return await handler(request, context);
    } catch (error) {
      return Response.json({ error: (error as Error).message }, { status: 502 });
    }
  };
}
