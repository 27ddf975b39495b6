/** All targets, by the layer they belong to. */
import type { FuzzTarget } from "./target.ts";
import { chunked } from "./targets/chunked.ts";
import { clientHello } from "./targets/client_hello.ts";
import { configDocument } from "./targets/config_document.ts";
import { dnsQuery } from "./targets/dns_query.ts";
import { firstBytes } from "./targets/first_bytes.ts";
import { h1Answers } from "./targets/h1_answers.ts";
import { h1Relay } from "./targets/h1_relay.ts";
import { h1Request } from "./targets/h1_request.ts";
import { h1Response } from "./targets/h1_response.ts";
import { h2Client, h2Frames, h2Server } from "./targets/h2_drivers.ts";
import { h2Relay } from "./targets/h2_relay.ts";
import { hclDocument } from "./targets/hcl_document.ts";
import { hpack } from "./targets/hpack.ts";
import { policyFrames } from "./targets/policy_frames.ts";
import { proxyHeader } from "./targets/proxy_header.ts";

export const fuzzTargets: readonly FuzzTarget[] = [
  h1Request,
  h1Response,
  chunked,
  h1Relay,
  h1Answers,
  h2Frames,
  hclDocument,
  hpack,
  h2Server,
  h2Client,
  h2Relay,
  firstBytes,
  clientHello,
  proxyHeader,
  dnsQuery,
  configDocument,
  policyFrames,
];
