/** What comes to a gateway of the compiled binary as it comes in life: a browser, and a scanner that looks for what is weak. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash, X509Certificate } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { binaryMissing } from "../../compile/repository.ts";
import { addressOf } from "../support/addresses.ts";
import { Browser, chromiumMissing } from "../support/browser.ts";
import { makeTestAuthority } from "../support/certificates.ts";
import { heddleRunning } from "../support/command.ts";
import { testMs } from "../support/patience.ts";
import { waitFor, type Program } from "../support/processes.ts";

setDefaultTimeout(testMs);

const edge = addressOf(92);
const dayMs = 86_400_000;
const testssl = ["/usr/bin/testssl", "/usr/bin/testssl.sh"].find((place) => existsSync(place)) ?? null;

/** What testssl finds weak that is the authority's doing: ours is for tests, and tells nobody what it took back. */
const ofTheAuthority = ["cert_revocation"];

/** Fields that an app, or as here a route, sets for browsers. */
const forBrowsers = {
  "strict-transport-security": "max-age=31536000",
  "content-security-policy": "default-src 'self'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

describe.skipIf(binaryMissing)("a gateway, to its clients", () => {
  const folder = mkdtempSync(`${tmpdir()}/heddle-gateway-clients-test-`);
  const keys: string[] = [];
  let dev: Program;

  const documents = (shop: string, vip: string) => `
kind: Gateway
name: edge
listeners:
  - {name: shop, address: ${edge}, port: 8443, protocol: https, hostname: shop.example, certificates: [${shop}]}
  - {name: vip, address: ${edge}, port: 8443, protocol: https, hostname: vip.example, minVersion: "1.2", certificates: [${vip}]}
  - {name: scanned, address: ${edge}, port: 8444, protocol: https, minVersion: "1.2", certificates: [${vip}]}
---
kind: HTTPRoute
name: shop
gateway: edge
listener: shop
rules: [{respond: {status: 200, headers: {content-type: text/html}, body: "<title>shop</title><p>Welcome"}}]
---
kind: HTTPRoute
name: vip
gateway: edge
hostnames: [vip.example]
rules: [{respond: {status: 200, headers: ${JSON.stringify({ ...forBrowsers, "access-control-allow-origin": "*" })}, body: "for few"}}]
---
{kind: Machine, name: vm-edge, address: ${edge}, gateways: [edge]}
`;

  beforeAll(async () => {
    const validity = { notBefore: new Date(Date.now() - dayMs), notAfter: new Date(Date.now() + 90 * dayMs) };
    const authority = await makeTestAuthority(validity);
    writeFileSync(`${folder}/root.pem`, authority.rootPem);
    const certify = async (file: string, ...dns: readonly string[]): Promise<string> => {
      const { chainPem, keyPem } = await authority.issue({ dns, usages: ["server"], ...validity });
      writeFileSync(`${folder}/${file}.key`, keyPem);
      writeFileSync(`${folder}/${file}.pem`, chainPem);
      const key = new X509Certificate(chainPem).publicKey.export({ type: "spki", format: "der" });
      keys.push(createHash("sha256").update(key).digest("base64"));
      return `{certificate: ${folder}/${file}.pem, key: ${folder}/${file}.key}`;
    };
    const mesh = mkdtempSync(`${folder}/mesh-`);
    // A browser may ask for the other name on the connection that it has, which is not for it.
    const shop = await certify("shop", "shop.example", "vip.example");
    const text = documents(shop, await certify("vip", "vip.example"));
    writeFileSync(`${mesh}/mesh.yaml`, text);
    dev = heddleRunning(["dev", mesh], `${folder}/dev.log`);
    await waitFor("the gateway listens", () => dialled(edge, 8443), { program: dev, everyMs: 100 });
  }, testMs);
  afterAll(async () => {
    await dev.stop();
    rmSync(folder, { recursive: true });
  });

  test.skipIf(chromiumMissing)(
    "shows a browser its pages by HTTP/2, of another listener too (needs chromium)",
    async () => {
      const browser = await Browser.start([
        `--host-resolver-rules=MAP *.example ${edge} , MAP * ~NOTFOUND , EXCLUDE 127.*`,
        `--ignore-certificate-errors-spki-list=${keys.join(",")}`,
      ]);
      try {
        const page = await browser.page({ width: 800, height: 600, dark: false });
        await page.open("https://shop.example:8443/");
        await page.until("the page is there", `document.title === "shop"`);
        expect(await page.text()).toBe("Welcome");
        const protocol = `performance.getEntriesByType("navigation")[0].nextHopProtocol`;
        expect(await page.value<string>(protocol)).toBe("h2");
        const other = `fetch("https://vip.example:8443/").then((answer) => answer.text())`;
        expect(await page.value<string>(other)).toBe("for few");
      } finally {
        await browser.close();
      }
    },
  );

  /** What it finds where both versions of TLS are taken, and no name need be asked for. */
  async function scan(looks: readonly string[]): Promise<readonly Finding[]> {
    const found = `${folder}/testssl${looks.join("")}.json`;
    const child = Bun.spawn(
      [
        ...[String(testssl), "--quiet", "--color", "0", "--warnings", "off", "--fast", "--nodns", "none"],
        ...["--jsonfile", found, "--ip", edge, "--add-ca", `${folder}/root.pem`, ...looks],
        "vip.example:8444",
      ],
      { stdout: "ignore", stderr: "ignore", stdin: "ignore" },
    );
    await child.exited;
    return JSON.parse(readFileSync(found, "utf8")) as readonly Finding[];
  }

  test.skipIf(testssl === null)(
    "has no weakness of severity MEDIUM or worse to testssl, but what is the authority's (needs testssl)",
    async () => {
      // Protocols, ciphers, forward secrecy, the server's choice; its certificate, header fields; known faults. Side by side, as each waits.
      const looks = [["-p", "-s", "-f", "-P"], ["-S", "-h"], ["-U"]];
      const findings = (await Promise.all(looks.map(scan))).flat();
      const told = (id: string): string =>
        findings
          .filter((each) => each.id === id)
          .map(({ finding }) => finding)
          .join();
      // It saw what there is.
      for (const [id, finding] of [
        ["SSLv3", "not offered"],
        ["TLS1", "not offered"],
        ["TLS1_1", "not offered"],
        ["TLS1_2", "offered"],
        ["TLS1_3", "offered with final"],
        ["cert_chain_of_trust", "passed."],
        ["secure_renego", "supported"],
      ] as const)
        expect([id, told(id)]).toEqual([id, finding]);
      const weak = findings.filter(({ severity }) => ["MEDIUM", "HIGH", "CRITICAL"].includes(severity));
      expect(weak.filter(({ id }) => !ofTheAuthority.includes(id))).toEqual([]);
    },
    4 * testMs,
  );
});

interface Finding {
  readonly id: string;
  readonly severity: string;
  readonly finding: string;
}

/** Whether somebody listens there. */
async function dialled(hostname: string, port: number): Promise<true | null> {
  try {
    (await Bun.connect({ hostname, port, socket: { data() {} } })).end();
    return true;
  } catch {
    return null;
  }
}
