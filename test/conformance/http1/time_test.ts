/** Time limits of a connection, seen from outside while the clock is moved: who stalls is told, and nothing stays half done. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import { bytesOf } from "../../support/wire.ts";
import { Recorder } from "../../support/sockets.ts";
import type { Socket } from "../../../runtime/contract.ts";
import { get, post, request } from "./case.ts";
import { startMemorySubject, type MemorySubject } from "./memory_subject.ts";

let subject: MemorySubject;
beforeAll(async () => void (subject = await startMemorySubject()));
afterAll(async () => await subject.close());

interface Client {
  readonly socket: Socket;
  readonly heard: Recorder;
}

async function dial(): Promise<Client> {
  const heard = new Recorder();
  const opened = new Promise<Socket>((resolve, reject) => {
    subject.net.connect(
      { ...subject.address("all"), timeoutMs: 1_000 },
      {
        opened: (socket) => {
          resolve(socket);
          return heard;
        },
        failed: (error) => reject(new Error(error.message)),
      },
    );
  });
  await subject.turn();
  return { socket: await opened, heard };
}

async function say(client: Client, text: string): Promise<void> {
  client.socket.write(bytesOf(text));
  await subject.turn();
}

const statusOf = (client: Client): string => /^HTTP\/1\.1 (\d+)/.exec(client.heard.text())?.[1] ?? "";
/** A deadline fires at the first tick behind it. */
const tickMs = 2 * limits.timerTickMs;

describe("a client that stalls", () => {
  test("before its first byte is let go without a word", async () => {
    const client = await dial();
    await subject.net.pass(limits.firstByteMs + tickMs);
    expect([client.heard.text(), client.heard.ended || client.heard.closed]).toEqual(["", true]);
  });

  test("inside a head is told 408, however steadily it drips", async () => {
    const client = await dial();
    for (const letter of "GET / HTTP") {
      await say(client, letter);
      await subject.net.pass(limits.headMs / 10);
    }
    await subject.net.pass(tickMs);
    expect(statusOf(client)).toBe("408");
    expect(client.heard.ended).toBe(true);
  });

  test("inside a body is told 408, and the request never becomes whole at the backend", async () => {
    for (const framing of ["Content-Length: 9", "Transfer-Encoding: chunked"]) {
      subject.backend.begin({});
      const client = await dial();
      await say(client, `${request(post, framing)}${framing.startsWith("C") ? "" : "5\r\n"}hello`);
      expect(subject.backend.partial).toHaveLength(1);
      await subject.net.pass(limits.bodyProgressMs + tickMs);
      expect([statusOf(client), client.heard.ended]).toEqual(["408", true]);
      expect([subject.backend.requests, subject.backend.partial]).toEqual([[], []]);
    }
  });

  test("but moves on within the limit is served", async () => {
    subject.backend.begin({});
    const client = await dial();
    // As much at a time as the floor asks for until the next piece comes.
    const size = Math.ceil((limits.bodyProgressMs / 1_000) * limits.bodyBytesPerSecondMin);
    const pieces = [..."hello"].map((letter) => letter.repeat(size));
    const [first = "", ...others] = pieces;
    await say(client, `${request(post, `Content-Length: ${5 * size}`)}${first}`);
    for (const piece of others) {
      await subject.net.pass(limits.bodyProgressMs - tickMs);
      await say(client, piece);
    }
    expect(statusOf(client)).toBe("200");
    expect(subject.backend.requests.map((each) => each.body)).toEqual([pieces.join("")]);
  });

  test("in a body that drips below the floor is told 408, however steadily it drips", async () => {
    for (const framing of ["Content-Length: 10000", "Transfer-Encoding: chunked"]) {
      subject.backend.begin({});
      const client = await dial();
      await say(client, request(post, framing));
      const drip = framing.startsWith("C") ? "x".repeat(200) : `c8\r\n${"x".repeat(200)}\r\n`;
      for (let second = 0; second < limits.bodyGraceMs / 1_000; second++) {
        expect(statusOf(client)).toBe("");
        await say(client, drip);
        await subject.net.pass(1_000);
      }
      await subject.net.pass(limits.bodyWatchMs + tickMs);
      expect([statusOf(client), client.heard.ended]).toEqual(["408", true]);
      expect(client.heard.text()).toContain(`${limits.bodyBytesPerSecondMin} bytes per second`);
      expect([subject.backend.requests, subject.backend.partial]).toEqual([[], []]);
    }
  });

  test("in a body that drips above the floor is served", async () => {
    subject.backend.begin({});
    const client = await dial();
    const seconds = (2 * limits.bodyGraceMs) / 1_000;
    const drip = "x".repeat(limits.bodyBytesPerSecondMin + 60);
    await say(client, request(post, `Content-Length: ${seconds * drip.length}`));
    for (let second = 0; second < seconds; second++) {
      await say(client, drip);
      await subject.net.pass(1_000);
    }
    expect(statusOf(client)).toBe("200");
  });

  test("between requests is let go after the keep-alive time, and no sooner", async () => {
    subject.backend.begin({});
    const client = await dial();
    await say(client, request(get));
    await subject.net.pass(limits.keepAliveInboundMs - tickMs);
    expect(client.heard.ended || client.heard.closed).toBe(false);
    await subject.net.pass(2 * tickMs);
    expect(client.heard.ended || client.heard.closed).toBe(true);
    expect(client.heard.text().match(/HTTP/g)).toHaveLength(1);
  });
});

test("interim answers without end are no answer", async () => {
  const interim = "HTTP/1.1 103 Early Hints\r\n\r\n";
  subject.backend.begin({ says: interim.repeat(limits.interimAnswersMax + 1) });
  const client = await dial();
  await say(client, request(get));
  expect(client.heard.text()).toContain("HTTP/1.1 502");
});

test("a connection refused keeps nothing of what still arrives", async () => {
  subject.backend.begin({});
  const client = await dial();
  await say(client, "GET / HTTP/1.1\r\n\r\n");
  for (let more = 0; more < 50; more++) await say(client, request(get));
  await subject.net.pass(limits.lingerMs + tickMs);
  await say(client, "more");
  expect(client.heard.text().match(/HTTP\/1\.1 400/g)).toHaveLength(1);
  expect([client.heard.closed, subject.backend.requests]).toEqual([true, []]);
});
