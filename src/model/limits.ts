/**
 * Every bound of heddle, with its unit in its name. Nothing else in the sources decides how much is too much.
 * Relations between limits are asserted when this file loads.
 */
import { assert } from "../base/assert.ts";

const kib = 1024;
const mib = 1024 * kib;

export const limits = {
  // HTTP heads (RFC 9112 section 3, RFC 6585 section 5)
  /** Of the head of a request; a longer one is answered 431. */
  requestHeadBytesMax: 32 * kib,
  /** Of the head of an answer; instead of a longer one the caller gets 502. */
  responseHeadBytesMax: 64 * kib,
  /** Header fields of one head; a request with more is answered 431, an answer with more 502. */
  fieldCountMax: 100,
  /** Of the target of a request: its path with the query; a longer one is answered 414. */
  targetBytesMax: 16 * kib,
  /** Of the method of a request; a longer one is answered 501. */
  methodBytesMax: 32,
  // HTTP bodies (RFC 9112 section 7.1)
  /** Digits of Content-Length; with more the message is malformed, and its connection ends. */
  contentLengthDigitsMax: 15,
  /** Digits of the size of a chunk; with more the body is malformed, and its connection ends. */
  chunkSizeDigitsMax: 15,
  /** Of the extensions of one chunk; with more the body is malformed, and its connection ends. */
  chunkExtensionBytesMax: 256,
  /** Of the extensions of all chunks of a body; with more it is malformed, and its connection ends. */
  chunkExtensionsBytesMax: 4 * kib,
  /** Of the trailers of a request; with more it is malformed, and its connection or stream ends. */
  trailerBytesMax: 8 * kib,
  /** Of answers: gRPC says there what failed, with details. */
  responseTrailerBytesMax: 64 * kib,
  /** Answers 1xx before the one that counts; an app that sends more has failed, and its caller gets 502. */
  interimAnswersMax: 16,
  /** Of the body of a request that is kept to be sent again; a request with a longer one is not. */
  replayBodyBytesMax: 64 * kib,
  /** Of the body of a request that a route mirrors; one with a longer body is not mirrored. */
  mirrorBodyBytesMax: 64 * kib,
  /** Copies of requests under way or being gathered in one event loop; what comes beyond is not mirrored. */
  mirrorsMax: 256,
  /** From the head of a mirrored request to the end of its answer, which nobody gets; it is cancelled then. */
  mirrorMs: 30_000,
  /** For which a route may let requests wait on purpose (fault.delay). */
  faultDelayMsMax: 60_000,
  // Inference (`inference` of a service)
  /** Of a request to a model that is held until it is known where it goes; of a longer one the rest is not looked at for that. */
  inferenceHeldBytesMax: 1_024 * kib,
  /** Of a request that is held until its model has come, where routes go by that; a longer one names it in `x-heddle-model`, or is refused. */
  modelHeldBytesMax: 4 * mib,
  /** And of all of them together, however slowly their clients write. */
  modelsHeldBytesMax: 12 * mib,
  /** So long it is waited for what the services behind a merged list of models say; what is missing then is left out. */
  modelListMs: 3_000,
  /** Services that are asked for it. */
  modelListServicesMax: 16,
  /** Lists of models that are gathered at a time in one event loop; a request for a further one is refused. */
  modelListsMax: 32,
  /** Models that one service may list; further ones are left out. */
  modelsListedMax: 1_000,
  /** Of the name of a model. */
  modelNameBytesMax: 256,
  /** Names of models that metrics tell apart, in one proxy; calls to others count as those of `other`. */
  inferenceModelsMax: 64,
  /** Streamed answers of a model may take so long to their first content, where their service says nothing; then another engine is asked, or the call fails. */
  firstContentMs: 300_000,
  /** And from one content to the next; then the stream ends with an error. */
  nextContentMs: 60_000,
  /** Of a stream of a model on which nothing came for so long the client gets a comment, which keeps it and what stands between from giving up. */
  heartbeatMs: 15_000,
  /** Of one event of an answer of a model; what a longer one says is not counted. */
  inferenceEventBytesMax: 1_024 * kib,
  /** Of a prompt, as bytes, for each token until the answers of a service show how many there are. */
  promptBytesPerToken: 4,
  /** Share of a prompt that an endpoint must have in its cache to be preferred for that. */
  prefixHitMin: 0.8,
  /** An endpoint that has the prompt in its cache is left for one that is expected to begin its answer so much earlier, where its service says nothing. */
  prefixReleaseMs: 250,
  /** Beyond that, so many times what reading the prompt anew takes: it delays others too. */
  prefixAgainWeight: 2,
  /** Where answers hold endpoints back: the one that has the prompt in its cache may have so many more under way than the least, */
  warmStreamsMin: 1,
  /** and this share of those more. */
  warmStreamsShare: 0.1,
  /** There, so many tokens of prompts that are still to be read weigh as much as an answer under way. */
  promptTokensPerStream: 500,
  /** Of prompts that an endpoint is believed to have in its cache; what was used least lately is forgotten. */
  prefixBytesMax: 8 * mib,
  /** Prompts of fewer tokens, with those that wait before them, say nothing of how fast an endpoint reads. */
  promptRateTokensMin: 512,
  /** Tokens of prompts that an endpoint is taken to read in a second until its answers show it. */
  promptTokensPerSecond: 8_000,
  // Gateways
  /** Connections of one listener of a gateway, where its document says nothing; further ones are reset. */
  gatewayConnections: 10_000,
  /** What a document may say at most. */
  gatewayConnectionsMax: 100_000,
  /** Connections of whoever has most that are told to end once they are idle, where a gateway has no room for somebody else. */
  crowdThinnedMax: 64,
  /** Within which that happens once. */
  crowdThinMs: 100,
  /** Streams at a time of one connection from outside; further ones are refused (REFUSED_STREAM). */
  h2EdgeStreamsMax: 128,
  /** Files of certificates are looked at each so often. */
  certificateLookMs: 5_000,
  /** Of such a file; a longer one is not read. */
  certificateFileBytesMax: 256 * kib,
  /** A certificate of a gateway that ends sooner is warned of. */
  gatewayCertificateLeftMs: 14 * 86_400_000,
  /** Problems that a proxy tells the controller of, for operators; the first of them. */
  machineProblemsMax: 16,
  /** A port of a gateway that could not be had is tried again after so long. */
  gatewayRetryMs: 10_000,
  // Networks without a route between
  /** Addresses of one listener of a gateway at which machines of other networks reach it. */
  networkGatewaysMax: 16,
  /** Of the gateways of a network, so many are tried for one connection, one after the other. */
  networkGatewaysTriedMax: 3,
  /** A gateway that could not be reached is tried after the others for so long. */
  networkGatewayLameMs: 10_000,
  // External services
  /** Addresses of one name that are used; further ones are left out. */
  externalAddressesMax: 64,
  /** A name is looked up again when its time to live is over, but not sooner. */
  externalTtlMinMs: 5_000,
  /** Nor is it looked up later than this, however long it says that it lives. */
  externalTtlMaxMs: 300_000,
  /** After a look-up that failed. */
  externalRetryMs: 5_000,
  // Requests of a connection
  /** Requests of one HTTP/1.1 connection that begin in a turn of the event loop; further ones wait for the next turn. */
  requestsPerTurnMax: 16,
  // HTTP/2: what a side takes, by where it stands
  /** Streams at a time of one connection of a local app; further ones are refused (REFUSED_STREAM). */
  h2LocalStreamsMax: 2_000,
  /** Of a stream when it begins; one whose reader keeps up gets more. */
  h2StreamWindowBytes: 32 * kib,
  /** Half of it taken within so long: more would be used. */
  h2WindowGrowMs: 250,
  /** What a stream of a local app may send ahead of its reader, at most; then it waits. */
  h2LocalStreamWindowBytesMax: 256 * kib,
  /** What all streams of one connection of a local app may send ahead of their readers; then they wait. */
  h2LocalConnectionWindowBytes: mib,
  /** Streams at a time of one connection between two proxies; the next one goes to a further connection. */
  h2MeshStreamsMax: 256,
  /** What a stream between two proxies may send ahead of its reader, at most; then it waits. */
  h2MeshStreamWindowBytesMax: mib,
  /** What all streams of a connection between two proxies may send ahead of their readers; then they wait. */
  h2MeshConnectionWindowBytes: 16 * mib,
  /** Of a frame that is taken from an app; a longer one ends its connection (FRAME_SIZE_ERROR). */
  h2FrameBytesMax: 16 * kib,
  /** Of a frame that is taken from another proxy; a longer one ends the connection (FRAME_SIZE_ERROR). */
  h2MeshFrameBytesMax: mib,
  /** Streams before the server has said how many it takes: where both ends are heddle, and to an app that never said it. */
  h2StreamsEarlyMax: 100,
  /** Streams on a connection to an app that has not said how many it takes; further requests wait for its SETTINGS. */
  h2StreamsUnknownMax: 1,
  // HTTP/2: what a peer may cost (RFC 9113 section 10.5)
  /** Of the table of header fields that each side of a connection keeps (HPACK); the oldest entries leave it. */
  h2TableBytesMax: 4 * kib,
  /** CONTINUATION frames of one head; with more the connection is ended. */
  h2ContinuationsMax: 16,
  /** A head that comes to so many times its limit is no mistake: it is not read on, and its connection ends. */
  h2HeadExcessMax: 4,
  /** Of the heads of requests on one connection that are kept while they are under way; beyond that the connection is ended. */
  h2HeadMemoryBytesMax: mib,
  /** PING, SETTINGS and frames like them that a peer may send at once; beyond that its connection is ended. */
  h2ControlBurstMax: 100,
  /** PING, SETTINGS and frames like them that a peer may send in a second beyond h2ControlBurstMax; more end its connection. */
  h2ControlPerSecond: 10,
  /** PRIORITY frames for each stream that a peer opens; beyond that its connection is ended. */
  h2PrioritiesPerStreamMax: 100,
  /** WINDOW_UPDATE frames that a peer may send before anything else; beyond all that it has, its connection is ended. */
  h2WindowUpdatesBaseMax: 5,
  /** WINDOW_UPDATE frames that a peer may send for each stream that it opens; beyond all that it has, its connection is ended. */
  h2WindowUpdatesPerStreamMax: 2,
  /** WINDOW_UPDATE frames that a peer may send for each frame of data that it was sent; beyond all that it has, its connection is ended. */
  h2WindowUpdatesPerDataMax: 20,
  /** DATA frames in a row that carry nothing and end nothing; with more the connection is ended. */
  h2EmptyDataMax: 1,
  /** Resets soon after a stream began, or that a peer made us send; with more, if they are most streams, the connection is ended. */
  h2ResetsMax: 100,
  /** A client that resets most of what it opens has time after so many. */
  h2ResetsFreeMax: 25,
  /** The part of its recent streams that a peer may have had reset; beyond that, and with many of them, its connection is ended. */
  h2ResetsShareMax: 0.5,
  /** A stream that its client resets within such a time counts as one that was opened to be reset. */
  h2ResetEarlyMs: 1_000,
  /** Requests that were answered, and that their client neither ends nor resets. */
  h2UnfinishedMax: 2_000,
  /** So many of them are forgotten: a client need not say anything about a stream that was reset. */
  h2UnfinishedPerSecond: 10,
  /** Streams after which the counts of resets are halved. */
  h2ResetsWindow: 1_000,
  /** A connection that cost too much stays so long behind its GOAWAY: who dials again at its end has to wait for it. */
  h2CalmMs: 1_000,
  /** So many of a shard; others end at once. */
  h2CalmConnectionsMax: 256,
  /** Control frames that wait for a peer that does not read; with more its connection is ended. */
  h2QueuedControlFramesMax: 1_000,
  /** Frames of all kinds that wait for a peer that does not read; with more its connection is ended. */
  h2QueuedFramesMax: 10_000,
  /** What waits for a peer that does not read, on one connection; beyond that nothing more is read from it. */
  h2QueuedBytesMax: 4 * mib,
  /** Frames of one connection that are handled in a turn of the event loop; the rest waits for the next turn. */
  h2FramesPerTurnMax: 64,
  /** Of answers, which end work and begin none: what would wait for another turn had to be copied, and its socket paused. */
  h2AnswerFramesPerTurnMax: 1_024,
  /** Requests of one connection of a local app that begin in a turn; the rest waits for a further one. */
  h2LocalRequestsPerTurnMax: 16,
  /** So few of one read begin at once, however much others sent. */
  h2RequestsAtOnceMax: 2,
  /** Of all connections of a shard that wait for a further turn, and of reads that brought more at once. */
  h2WaitingRequestsPerTurnMax: 64,
  /** A client whose streams begin with less room takes no answer: it has time. */
  h2StreamWindowBytesMin: 256,
  /** Of all clients of a shard that have time. */
  h2SlowedRequestsPerTickMax: 1,
  /** How often requests of clients that have time begin, h2SlowedRequestsPerTickMax at a time; the others wait. */
  h2SlowedTickMs: 1,
  /** While more streams that began without room are under way, the tick is longer: few of them will end soon. */
  h2WindowlessStreamsMax: 64,
  /** The same while more than h2WindowlessStreamsMax streams began without room. */
  h2SlowedLongTickMs: 4,
  /** What one stream sends before another one that waits has its turn. */
  h2QuantumBytes: 16 * kib,
  /** A setting each, with room for those that are not known. */
  h2SettingsBytesMax: 6 * 64,
  /** Of a GOAWAY that is read; a longer one ends its connection. */
  h2GoawayBytesMax: 16 * kib,
  // HTTP/2: timers
  /** Within which a peer sends its SETTINGS and acknowledges ours; else its connection is ended. */
  h2SettingsMs: 10_000,
  /** How often a connection with something under way is looked at; what is late is noticed so much later at most. */
  h2WatchMs: 1_000,
  /** A peer that owes an answer and said nothing for so long is asked whether it is there. */
  h2PingMs: 10_000,
  /** Within which it says so; else its connection is given up, with all that is under way on it. */
  h2PingAnswerMs: 3_000,
  /** Clients answer a PING ahead of requests that were made before they read the GOAWAY: those are still taken. */
  h2DrainGraceMs: 100,
  /** A connection to a server that nothing uses is ended after so long, where nobody said otherwise. */
  h2ClientIdleMs: 300_000,
  // Buffers of one direction of one connection
  /** What waits to be written to one peer; with more its sender is paused. */
  bufferHighBytes: 64 * kib,
  /** A sender that was paused goes on once no more than so much waits to be written to its peer. */
  bufferLowBytes: 16 * kib,
  // Buffers of all connections of a proxy, however many shards it has
  /** What waits for peers that do not take it: over it those end that hold most and make no progress. */
  bufferedBytesMax: 32 * mib,
  /** Of one read of a connection to an app, when it is opened and at most. With less TCP stands still for a fifth of a second. */
  inputBytes: 64 * kib,
  /** The most that one read of a connection to an app takes; further bytes wait in the kernel. */
  inputBytesMax: 512 * kib,
  /** Over this share of it nothing grows. */
  bufferedTightShare: 0.5,
  /** Over this share of it those give way that stand still, down to the other one, so that not every turn looks for more. */
  bufferedFullShare: 0.75,
  /** Of bufferedBytesMax: once what waits is down to this share nobody has to give way any more. */
  bufferedRelievedShare: 0.625,
  /** Who makes no progress for so long stands still. */
  bufferedStillMs: 3_000,
  /** How often it is looked, while much waits for peers, which of them stand still. */
  bufferedLookMs: 100,
  /** After more than so much waited, memory is given back to the system when it does not any more. */
  bufferedCompactBytes: 4 * mib,
  /** How often it is looked whether what waited for peers is gone, so that its memory can be given back to the system. */
  bufferedCompactLookMs: 2_000,
  /** Windows of all streams beyond what they begin with. */
  bufferedLentShare: 0.5,
  /** Of what is left of that, to one stream at a time. */
  bufferedLentOneShare: 0.0625,
  // Timers of a connection
  /** Within which a handshake of TLS is over; else its connection is ended. */
  tlsHandshakeMs: 5_000,
  /** Within which a client that connects has said what it wants in TLS (ClientHello); else its connection is ended. */
  clientHelloMs: 5_000,
  /** Of a ClientHello; a longer one is malformed, and its connection ends. */
  clientHelloBytesMax: 64 * kib,
  /** TLS records that a ClientHello comes in; with more it is malformed, and its connection ends. */
  clientHelloRecordsMax: 16,
  /** Within which a client that connects sends its first byte, where it is to speak first; else its connection is ended. */
  firstByteMs: 10_000,
  /** An undeclared protocol is known by then, or the connection is opaque. */
  detectMs: 1_000,
  /** Of the head of the PROXY protocol; a longer one is malformed, and its connection ends. */
  proxyHeaderBytesMax: 4 * kib,
  /** Within which the head of a request is whole, from its first byte; else it is answered 408, or its connection ended. */
  headMs: 10_000,
  /** A body that is awaited and of which nothing comes for so long has failed: 408 for a request. */
  bodyProgressMs: 30_000,
  /** A body that is awaited may come as it likes for so long; then on average at least so fast. */
  bodyGraceMs: 10_000,
  /** What a body that is awaited comes to in a second, on average after bodyGraceMs; a slower one is answered 408, or its stream reset. */
  bodyBytesPerSecondMin: 240,
  /** How often bodies that are awaited are looked at, whether they come fast enough. */
  bodyWatchMs: 1_000,
  /** A look that comes later than this: the proxy itself stood still, and no client is to blame. */
  bodyStallMs: 3_000,
  /** A peer that takes nothing of what waits for it for so long is given up: its stream or connection ends. */
  writeStallMs: 30_000,
  /** After the last answer of a connection, for its client to read it: then the connection is closed. */
  lingerMs: 2_000,
  /** An answer of which nothing moves for so long is broken off (504 before it began); streams may be silent. */
  answerIdleMs: 300_000,
  /** A client's connection that nothing uses is ended after so long. */
  keepAliveInboundMs: 75_000,
  /** A connection to an instance or app that nothing uses is ended after so long, unless timeouts.idle says otherwise. */
  keepAlivePoolMs: 60_000,
  /** Of an app that says how long it keeps a connection, it is given up so much earlier, or at half of that time. */
  keepAliveMarginMs: 1_000,
  /** After so long a connection between proxies or to an app takes nothing new, and ends with what is under way. */
  connectionAgeMs: 3_600_000,
  /** Within which another machine accepts a connection, unless timeouts.connect says otherwise; else the attempt has failed. */
  connectMeshMs: 1_000,
  /** Within which a local app accepts a connection; else the attempt has failed. */
  connectLocalMs: 1_000,
  /** How long what is open may go on when a mode ends, unless somebody says otherwise. */
  drainMs: 30_000,
  /** The longest that --drain may say. */
  drainMaxMs: 24 * 3_600_000,
  /** An opaque connection on which nothing passes is cut in a drain. */
  drainIdleMs: 2_000,
  /** How often a proxy that ends looks whether opaque connections stand idle, and cuts those that do. */
  drainLookMs: 250,
  /** After the listeners closed: by then what they took last is known, and by then over, or they open again. */
  drainArriveMs: 50,
  /** A proxy that ends looks so often whether the successor that has started serves, before it closes its listeners. */
  successorLookMs: 20,
  /** So long a proxy that ends waits for what its listeners took last, before they open again. */
  drainLateMs: 1_000,
  /** A proxy gives back what its start or a peak took as soon as it uses less of a core than this for so long. */
  compactAfterMs: 4_000,
  /** Of one core: a proxy that uses more has a peak, and puts off giving back what that takes. */
  compactBusyShareMax: 0.1,
  /** And its compiled code, which takes as much again, as soon as it has had so little to do for so long after a peak. */
  compactCodeAfterMs: 300_000,
  /** What a peak took is not worth giving back where it is less. */
  compactGrowthBytes: 8 * mib,
  /** How often a proxy looks for threads beside its own that are to give way. */
  helpersYieldMs: 1_000,
  /** How often a mode that starts as a service looks whether it serves by now, and one that serves tells the manager how it stands. */
  managerReadyLookMs: 50,
  /** How often a mode that serves tells the service manager how it stands. */
  managerStatusMs: 5_000,
  /** So many words of life within the time after which the service manager takes a mode for stuck. */
  managerPingsPerWatchdog: 4,
  /** A mode that ends asks the service manager for so much more time, again and again, until it has ended. */
  managerExtendMs: 10_000,
  /** A proxy that ends looks so long whether units of its apps end with it. */
  unitStopLookMs: 200,
  /** What the bus of the service manager says about a unit. */
  busMessageBytesMax: 262_144,
  /** A proxy that was told to has taken a changed Machine document over by then. */
  managerReloadMs: 20_000,
  /** How often it is looked whether a proxy has taken a changed Machine document over. */
  managerReloadLookMs: 50,
  /** A service whose event loop stands still for so long is killed and started again. */
  proxyWatchdogMs: 10_000,
  /** A registry or controller whose event loop stands still for so long is killed by systemd and started again. */
  controlWatchdogMs: 30_000,
  /** What the service manager gives a mode that ends before it has asked for more. */
  serviceStopMs: 20_000,
  /** Of bugs that a proxy lives on after. */
  faultsPerMinuteMax: 20,
  /** How fine the clock of most timeouts is: they end up to so much later. */
  timerTickMs: 100,
  /** Deadlines that are nearer than this are kept by ticks of so many milliseconds. */
  timerFineMs: 2_000,
  /** How fine the clock of short pauses is, such as those before retries: they end up to so much later. */
  timerFineTickMs: 10,
  /** How long a client of HTTP/1 that has closed its side of a connection may wait for the head of an answer; then it has left. */
  halfClosedMs: 1_000,
  /** A tick that comes so much later: the process itself stood still, and reads what came meanwhile before it blames anybody. */
  timerStallMs: 1_000,
  // Pools and queues, per destination
  /** Connections of one calling service to one instance, and of a proxy to its app; with all in use requests wait (pendingMax). */
  connectionsMax: 1024,
  /** Requests that wait for a place at a service or instance; more are answered 503 at once. */
  pendingMax: 4096,
  /** How long they wait at most; then they are answered 503. */
  pendingMs: 3_000,
  /** Requests and opaque connections under way to a service from one machine; more wait (pendingMax). */
  requestsMax: 4096,
  /** Of what a document may allow to be under way at a time. */
  limitCountMax: 1_000_000,
  // Shares of them (`src/proxy/share/share_rule.ts`)
  /** Where n callers take all they can get, about one part in 1 + 16 n stays free for the next one; alone, one takes 78 %. */
  callerShareFactor: 16,
  /** As much of what its caller may hold stays free where n clients of it take all they can; alone, one takes 64 %. */
  clientShareFactor: 5,
  /** A client with more requests under way to one service is told apart from others by the other proxy. */
  flowToldRequestsMin: 32,
  /** And with more of all clients under way, each client is. */
  flowsToldRequestsMin: 256,
  /** Clients of another proxy that are told apart; with more, those of before are forgotten. */
  flowPartsMax: 4096,
  /** Of the name by which a client is told apart by the other proxy; one with a longer name is not told apart. */
  flowNameLengthMax: 16,
  /** Services for which a client keeps its count while it uses them no more. */
  flowClaimsMax: 64,
  /** Of callers, and of clients of each, that may be passed over because they have their share when a place is free. */
  gateLooksMax: 64,
  /** Counts by which event loops tell clients of one gate apart together: two of them for each, found by its name. */
  gateClientTallies: 128,
  /** Connections that many requests share, to one endpoint. */
  sharedConnectionsMax: 32,
  /** With fewer streams left on the last shared connection the next one is opened. */
  streamsAheadMin: 64,
  /** Or with this share of what one takes, if that is less: where one takes few, they would run short all the time. */
  streamsAheadShare: 0.25,
  // Retries, timeouts and deadlines (defaults; `retries`, `retryBudget` and `timeouts` of `kind: Traffic` set them)
  /** Attempts of one request, the first included. */
  attemptsMax: 2,
  /** Attempts beyond the first that a document may ask for, and codes that it may name. */
  retriesMax: 10,
  /** Codes that a document may name for retries; one with more is refused. */
  retryCodesMax: 64,
  /** Retries of a service, for each of its requests within the window, beside the floor. */
  retryBudgetRatio: 0.2,
  /** The time over which the requests of a service are counted for its retries, unless retryBudget.interval says otherwise. */
  retryBudgetWindowMs: 10_000,
  /** The shortest retryBudget.interval that a document may say. */
  retryBudgetWindowMinMs: 1_000,
  /** The longest retryBudget.interval that a document may say. */
  retryBudgetWindowMaxMs: 3_600_000,
  /** Retries of a service that are granted in each second whatever its requests are; beyond floor and share there are none (URX). */
  retryBudgetFloorPerSecond: 10,
  /** The highest retryBudget.min that a document may say. */
  retryBudgetFloorMax: 10_000,
  /** Attempts of one request that servers did not begin (GOAWAY, REFUSED_STREAM) and that count neither as attempts nor in the budget. */
  refusedFreeMax: 2,
  /** Longest wait before the first retry; it doubles with each, up to the other one. */
  retryBackoffMs: 25,
  /** The longest wait before any retry. */
  retryBackoffMaxMs: 250,
  /** A server that asks for a longer pause is obeyed by no retry: its answer goes to the caller, who may wait. */
  retryPushbackMaxMs: 5_000,
  /** Answers of a service that must be known before a retry is left out because half of them took longer than its deadline leaves. */
  retryUsualSamplesMin: 20,
  /** A request is sent to a second instance no earlier than this, however quick the answers of its service are. */
  hedgeDelayMinMs: 10,
  /** Answers by which p95 goes, how many there must be, and after how many it is reckoned anew. */
  hedgeSamples: 512,
  /** With fewer answers known of a service p95 is not, and hedging by p95 sends nothing twice. */
  hedgeSamplesMin: 200,
  /** After so many further answers p95 and p50 of a service are reckoned anew. */
  hedgeSampleEvery: 32,
  /** With a larger share of instances out, those that are left have enough to do. */
  hedgeEjectedShareMax: 0.3,
  /** The rest of an answer that is not passed on is awaited so long, for the sake of its connection. */
  retryPassByMs: 25,
  // Balancing (defaults; `src/proxy/balance/`)
  /** An endpoint that is new or has come back grows into its share, from a tenth of it, in such a time. */
  slowStartMs: 30_000,
  /** What an instance that is new or came back begins with, of its share. */
  slowStartShareMin: 0.1,
  /** With fewer endpoints the others could not carry what one that starts does not take. */
  slowStartEndpointsMin: 3,
  /** Characters of a token that names the instance of a session. */
  sessionTokenLengthMax: 512,
  /** Values of one cookie name that are looked at. */
  sessionTokensMax: 4,
  /** What tokens of sessions are sealed with is made anew after so long; tokens of the one before are good until the next time. */
  sessionSecretMs: 30 * 24 * 3_600_000,
  /** A session that was begun with a key that much after it was replaced is none: its machine should have heard of the new one. */
  sessionKeyGraceMs: 3_600_000,
  /** How often the controller looks whether it is time, and how often it tries again. */
  sessionSecretLookMs: 600_000,
  /** Ejected endpoints that a machine tells the controller of; the rest is in its own `/config`. */
  ejectionsToldMax: 64,
  /** How often a machine looks whether there is something to tell, and how often it says it again. */
  ejectionsLookMs: 1_000,
  /** How often a machine tells of its ejected endpoints again, so that a controller that starts anew hears of them. */
  ejectionsRepeatMs: 15_000,
  /** Of one instance beside others, which have at least 1. */
  instanceWeightMax: 100,
  /** Slots of a Maglev table: prime, and many times the endpoints of most services. */
  maglevSlots: 65_537,
  /** A table that leads to endpoints most of which are gone is not used while the next one is laid out. */
  tableLeftMin: 0.125,
  /** Between two pieces of work at such tables. */
  tablePauseMs: 1,
  /** Points of a hash ring: so many for each endpoint, and in all. */
  ringPointsPerEndpoint: 128,
  /** Points of a hash ring in all; with many endpoints each has fewer. */
  ringPointsMax: 32_768,
  /** No endpoint has more than so many times the average of what is under way, where keys choose. */
  boundedLoadFactor: 1.25,
  /** The highest balance.boundedLoadPercent that a document may say. */
  boundedLoadPercentMax: 1_000,
  /** Zones that the order of one service names. */
  zonesMax: 64,
  /** A zone counts as whole while that many times its share of endpoints that are well come to 1. */
  zoneOverprovision: 1.4,
  /** With fewer endpoints that are well (where it has as many) a zone takes nothing. */
  zoneEndpointsMin: 2,
  /** A zone gets back what it lost after it has been well for so long. */
  zoneReturnMs: 30_000,
  /** Candidates that are looked through at once when one was ejected or came back; of more, so many a millisecond. */
  candidatesEagerMax: 100,
  /** Of more than candidatesEagerMax candidates so many are looked through in a millisecond; until then an endpoint that came back waits. */
  candidatesPerMs: 1_000,
  // Rates and concurrency (defaults; `src/proxy/limit/`)
  /** Callers, and keys of each other rule, that one limit tells apart; those beyond share a bucket. */
  rateCallersMax: 10_000,
  /** A value that requests are told apart by is kept whole up to so many characters; a longer one by its hash. */
  rateKeyLengthMax: 64,
  /** Of the rates that a document may set. */
  rateCountMax: 100_000_000,
  /** Buckets that are looked at for one to let go of when there are so many. */
  rateLooksMax: 16,
  /** A bucket that says nothing else holds what comes in so long. */
  rateBurstMs: 1_000,
  /** How often a proxy asks for its slice of a rate that the whole mesh shares, and for how long a slice is promised. */
  rateSliceAskMs: 1_000,
  /** For how long a slice of a shared rate is promised; a proxy that gets no other by then goes by the even share at most. */
  rateSliceMs: 5_000,
  /** How much later the one who promised lets go of it than the one who holds it. */
  rateSliceGraceMs: 1_000,
  /** A proxy that was heard within such a time counts among those that a shared rate is divided by. */
  rateSliceKnownMs: 3_600_000,
  /** Part of a shared rate that is kept for proxies that come new, and the part that is dealt out whoever asks for it. */
  rateSliceSpareRatio: 0.05,
  /** Part of a shared rate that is dealt out evenly to all proxies, whoever asks for more. */
  rateSliceEvenRatio: 0.1,
  /** A proxy whose calls hold tokens of a budget says so as often, in ms. */
  budgetAskMs: 1_000,
  /** An answer about tokens of a budget that takes longer, in ms, comes no more: it is asked again. */
  budgetAnswerMs: 300,
  /** A proxy asks no sooner than so many ms after it asked last. */
  budgetPauseMs: 10,
  /** What there is no more of is asked for again after so many ms, once at least: what others gave back may be under way. */
  budgetSureMs: 400,
  /** A call waits as long for tokens of a budget before it is refused, or takes from its proxy's even share, in ms. */
  budgetWaitMs: 2_000,
  /** A controller that was silent for so many ms, though it was asked, is away. */
  budgetAwayMs: 2_000,
  /** Less than this part of a budget is left: what calls gave back is told at once. */
  budgetTightRatio: 0.3,
  /** Tokens that a proxy was granted are good as long without another answer of the controller, in ms. */
  budgetGrantMs: 5_000,
  /** A proxy that was silent for so many ms has no calls left: what it was granted counts as spent. */
  budgetHoldMs: 960_000,
  /** Part of a budget that proxies may have in hand together beside what calls hold. */
  budgetHandRatio: 0.01,
  /** A proxy has tokens in hand for so many seconds at its pace. */
  budgetHandSeconds: 2,
  /** Who was refused may ask again after so many ms, where calls of others hold tokens that may come back. */
  budgetRetryMs: 1_000,
  /** A refused call is told to come again after so many ms at most: official clients wait no longer than a minute. */
  budgetRetryMaxMs: 60_000,
  /** Keys of budgets that a proxy keeps count of; beyond it calls with new keys are refused. */
  budgetKeysMax: 10_000,
  /** Calls of a proxy that wait for tokens of one key; more are refused. */
  budgetCallsWaitingMax: 1_000,
  /** Keys of budgets that a controller keeps count of; calls with further keys wait until one is idle. */
  budgetPoolsMax: 100_000,
  /** Tokens of a budget. */
  budgetTokensMax: 1_000_000_000_000,
  /** Budgets of one service. */
  budgetsPerServiceMax: 16,
  /** What a token may count. */
  tokenWeightMax: 1_000,
  /** Tokens of an answer that are held before a call, where it does not say that it wants fewer. */
  budgetOutputHold: 1_024,
  /** A prompt has at most so many times the tokens that its bytes say. */
  budgetInputRatioMax: 10,
  /** How much the last prompt counts for what the next ones are taken to have. */
  budgetInputLearnRatio: 0.1,
  /** Tokens that are held in addition when an answer comes near to what is held. */
  budgetExtendTokens: 256,
  /** Keys of budgets that a proxy asks for at once; the others come in turn. */
  budgetKeysAskedMax: 500,
  /** Calls of one key that a proxy tells the controller of at once. */
  budgetWantedMax: 64,
  /** Where an adaptive limit begins. */
  concurrencyStart: 20,
  /** An adaptive limit falls no lower, unless concurrency.min says otherwise. */
  concurrencyMin: 4,
  /** Requests that the instances of a service on one machine serve at a time, where its document limits them; more wait. */
  concurrencyMax: 1_000,
  /** Requests that wait while so many are served, and for how long. */
  concurrencyPendingMax: 256,
  /** For how long requests wait for their turn at a service that serves so many at a time; then they are answered 503. */
  concurrencyPendingMs: 1_000,
  /** What requests are thought to take when there is room rises no faster than to twice as much in such a time. */
  concurrencyLongDoubleMs: 120_000,
  /** A queue whose oldest has waited so long serves the newest first. */
  queueFreshMs: 100,
  /** Delay of the event loop that counts as overload, and how long it lasts until one more priority is shed, or one fewer. */
  shedDelayMs: 100,
  /** For so long the event loop is late before one more priority is refused (503, flag OM), or keeps up before one is served again. */
  shedStepMs: 5_000,
  // Circuit breakers (defaults; `src/proxy/breaker/`)
  /** Hard failures in a row that eject an endpoint. */
  breakerStreakMax: 5,
  /** The time over which the answers of an endpoint are counted for its share of successes. */
  breakerWindowMs: 10_000,
  /** Share of answers within the window that must be successes, once there are so many. */
  breakerSuccessMin: 0.8,
  /** With fewer answers within breakerWindowMs their share of successes ejects nobody. */
  breakerWindowAnswersMin: 5,
  /** What fails everywhere is no fault of one endpoint: its share of failures is so many times that of the average other one. */
  breakerOutlierFactor: 1.5,
  /** With more endpoints their failures are counted anew no more often than that. */
  breakerCountEagerMax: 100,
  /** How often the failures of a service with more than breakerCountEagerMax endpoints are counted anew, at most. */
  breakerCountMs: 100,
  /** Of the first ejection; each one after it is twice as long. */
  breakerPenaltyMs: 1_000,
  /** The longest that an endpoint is out before a request probes it. */
  breakerPenaltyMaxMs: 60_000,
  /** A penalty is longer by up to such a part of it, by chance. */
  breakerJitterRatio: 0.5,
  /** For each such time without an ejection one of those before is forgotten. */
  breakerForgiveMs: 30_000,
  /** Of the endpoints of a service that may be ejected at a time; one is always left. */
  breakerEjectedShareMax: 0.5,
  /** Of the counts that a document may set. */
  breakerCountMax: 10_000,
  /** For so long only a request that may be repeated is taken as the probe; then any. */
  breakerProbePatienceMs: 1_000,
  /** A caller's own deadline that passed counts against the endpoint when the attempt had at least so long. */
  breakerDeadlineMs: 1_000,
  /** A probe that has said nothing for so long is joined by another. */
  breakerProbeSilentMs: 10_000,
  // Identity
  /** How long certificates of services and machines live, unless --leaf-ttl says otherwise. */
  leafMs: 24 * 3_600_000,
  /** The longest that --leaf-ttl may say. */
  leafMsMax: 90 * 24 * 3_600_000,
  /** How long the certificate lives that signs those of services and machines; it is replaced before it ends. */
  intermediateMs: 90 * 24 * 3_600_000,
  /** How long a root certificate lives; `heddle ca rotate` replaces it. */
  rootMs: 10 * 365 * 24 * 3_600_000,
  /** Certificates begin so much before they are made, for machines whose clocks are behind. */
  leafBackdateMs: 60_000,
  /** How often others that read the trust bundle over HTTP are told to read it again. */
  bundleRefreshMs: 300_000,
  /** A clock of a machine that differs by more from the controller's is warned about. */
  clockSkewWarnMs: 10_000,
  /** Of the words that say why an instance is not ready. */
  instanceProblemLengthMax: 256,
  /** Of a SPIFFE ID (SPIFFE ID section 2.3); a longer one is none, and its certificate is refused. */
  spiffeIdBytesMax: 2048,
  /** Of the name of a trust domain; a longer one is refused. */
  trustDomainBytesMax: 255,
  /** The shortest life that a join token may be given. */
  joinTokenMinMs: 1_000,
  /** How long a join token lives, unless --ttl says otherwise; a later join is refused. */
  joinTokenMs: 15 * 60_000,
  /** The longest life that a join token may be given. */
  joinTokenMaxMs: 60 * 60_000,
  /** How long a token that was used or ran out is listed. */
  joinTokenKeptMs: 7 * 24 * 3_600_000,
  /** Of a file, or of standard input, that holds one. */
  joinTokenFileBytesMax: 4 * kib,
  /** Within which a machine that joins proves that it has its key; later it asks anew. */
  joinNonceMs: 60_000,
  /** Joins of one address that may fail within a minute; further ones are refused until it is over. */
  joinFailuresPerMinuteMax: 5,
  /** Addresses whose failed joins are counted; with more the one that failed first is forgotten. */
  joinSourcesMax: 10_000,
  /** Certificates of one machine that are valid at a time; more are refused. */
  certificatesPerNodeMax: 4_096,
  /** At this share of its life a certificate is renewed. */
  renewAtRatio: 0.5,
  /** Of its life: by so much, by chance, it is renewed earlier or later, so that machines do not come together. */
  renewJitterRatio: 0.1,
  /** How often it is looked whether it is time, at least. */
  renewLookMs: 3_600_000,
  /** The first pause after a renewal that failed; it doubles with each. */
  renewRetryMs: 100,
  /** The longest pause after a renewal that failed. */
  renewRetryMaxMs: 60_000,
  /** The longest pause while a certificate is missing or has ended and nobody refused another: its service is cut off so long. */
  renewEndedRetryMaxMs: 10_000,
  /** Services of one machine; a Machine document or token with more is refused. */
  servicesPerNodeMax: 64,
  /** So long after its certificates ended a machine may still renew them by its key; later it needs a new token. */
  nodeGraceMs: 30 * 24 * 3_600_000,
  /** Older than this an operator's certificate is renewed where it is used. */
  operatorRenewMs: 3_600_000,
  /** So long after its certificate ended an operator's key still renews it. */
  operatorGraceMs: 30 * 24 * 3_600_000,
  // Control plane
  /** How long a registration lives unless it is renewed; an instance whose lease ran out is gone from the mesh. */
  leaseMs: 12_000,
  /** The shortest lease that may be asked for. */
  leaseMsMin: 1_000,
  /** The longest lease that may be asked for. */
  leaseMsMax: 60_000,
  /** How often leases are renewed. */
  leaseRenewMs: 4_000,
  /** How often the registry looks for leases that ran out. */
  leaseCheckMs: 250,
  /** A registry that was started again with less than this share of the machines, documents or instances that are known is not obeyed. */
  shrunkRatio: 0.5,
  /** A check that comes later than this: the registry itself stood still, and no lease is to blame. */
  leaseStallMs: 1_000,
  /** How often `heddle dev` looks at its folder where nothing tells of a change. */
  devLookMs: 1_000,
  /** Changes that come within such a time are published together. */
  publishDebounceMs: 50,
  /** No change waits longer to be published, however many follow. */
  publishDebounceMaxMs: 1_000,
  /** Of traces that begin at a proxy and that nobody decided about, so many are sampled. */
  traceSampleShare: 0.01,
  /** A request that takes longer is slow: its line is logged, its trace kept. */
  slowExchangeMs: 1_000,
  /** The wall clock is read so often for the times of spans; a jump of it shows in them that late. */
  wallClockReadMs: 250,
  /** A bucket of a histogram shows the same trace as its exemplar for so long. */
  exemplarEveryMs: 1_000,
  /** Traces that are kept though they were not sampled, and of which parts may still come. */
  keptTracesMax: 4_096,
  /** Other proxies hear of them so often, of so many each. */
  keptTracesTellMs: 1_000,
  /** Traces of which one message tells one machine that they are kept; of more, that machine's parts are missing. */
  keptTracesToldMax: 500,
  /** Machines in one such message. */
  keptMachinesMax: 256,
  /** What waits at the end may still be sent for so long. */
  exportCloseMs: 2_000,
  // Telemetry that is sent out (OTLP/HTTP; OTEL_BSP_* of OpenTelemetry)
  /** Spans or log lines that wait for a receiver; with more the oldest are dropped and counted. */
  exportQueueMax: 2_048,
  /** What a proxy says before its receiver of logs is known waits for that; of more the last ones. */
  earlyLogLinesMax: 64,
  /** Spans or log lines in one message to a receiver; the rest waits for the next one. */
  exportBatchMax: 512,
  /** Spans that wait are sent to their receiver after so long, however few they are. */
  exportDelayMs: 5_000,
  /** The same of lines of the access log. */
  exportLogDelayMs: 1_000,
  /** How often metrics are sent, and at the soonest; so many readings wait for a receiver that is away. */
  exportMetricsEveryMs: 60_000,
  /** The shortest interval of metrics that may be asked for. */
  exportMetricsEveryMinMs: 1_000,
  /** Readings of all metrics that wait for a receiver that is away; of more the oldest are dropped. */
  exportReadingsMax: 5,
  /** Within which a receiver of telemetry answers; else the message is sent again. */
  exportTimeoutMs: 10_000,
  /** The first pause after a receiver said "later". */
  exportRetryMs: 1_000,
  /** The longest pause, also where the receiver wants a longer one. */
  exportRetryAfterMaxMs: 60_000,
  /** What could not be sent for so long is dropped. */
  exportRetryMaxMs: 300_000,
  /** Of the answer of a receiver; more is not read, so that a longer one is none of OTLP. */
  exportAnswerBytesMax: 64 * kib,
  /** Of questions that operators ask of proxies. */
  asksOpenMax: 64,
  /** Within which a proxy answers a question of an operator; what comes later is not shown. */
  askAnswerMs: 5_000,
  /** Until a machine must have made its report for an operator: it looks at all that `heddle check` does. */
  askReportMs: 60_000,
  /** Time between two looks of `heddle drain --wait` at what is left. */
  drainLeftLookMs: 500,
  /** Looks in a row of `heddle drain --wait` that find nothing left; then it is done. */
  drainEmptyLooks: 2,
  /** How long `heddle drain --wait` waits, unless --timeout says otherwise; then it tells what is left, and fails. */
  drainWaitMs: 600_000,
  /** The shortest interval at which a proxy answers a question of an operator again and again. */
  questionEveryMinMs: 500,
  /** The longest interval at which a proxy answers a question of an operator again and again. */
  questionEveryMaxMs: 60_000,
  /** Lines of an answer to an operator that wait in a proxy to be sent; more are dropped, and how many is told. */
  answerLinesMax: 1_000,
  /** Of all metrics of a proxy, as the controller hands them on, in characters: at most, and in one line of the answer. */
  expositionCharactersMax: 5 * mib,
  /** Characters of metrics in one line of an answer to the controller; what is longer comes in several. */
  expositionPieceCharacters: 64 * kib,
  /** Of the words with which an answer to an operator says that it failed; longer ones are cut. */
  answerProblemLengthMax: 2_000,
  /** Of the words with which a machine says why it refused a snapshot; longer ones are cut. */
  snapshotProblemLengthMax: 2_000,
  /** What a proxy remembers of requests that ended, for `heddle why`: the last ones, in so many bytes, names that come again apart. */
  evidenceRecordsMax: 10_000,
  /** Of the texts of requests that a proxy remembers for `heddle why`; the oldest are forgotten. */
  evidenceBytesMax: 4 * mib,
  /** Of the texts of one request that is remembered for `heddle why`. */
  evidenceRecordBytesMax: 24 * kib,
  /** Names in what is remembered for `heddle why`; with more a new table begins, and what is in the one before the last is forgotten. */
  evidenceNamesMax: 2_000,
  /** Of one name in what is remembered for `heddle why`; a longer one is cut. */
  evidenceNameLengthMax: 256,
  /** Of one text, such as a path, in what is remembered for `heddle why`; a longer one is cut. */
  evidenceTextLengthMax: 512,
  /** Attempts of one request that are remembered for `heddle why`; further ones are left out. */
  evidenceAttemptsMax: 16,
  /** Policies of one request that are remembered for `heddle why`; further ones are left out. */
  evidencePoliciesMax: 16,
  /** How often a command that goes on looks whether anybody reads what it writes. */
  readerLookMs: 250,
  /** Lines of `heddle tap` that a proxy sends in a second: where nothing else is asked for, and at most. */
  tapLinesPerSecond: 100,
  /** The highest --rate of `heddle tap`; what comes faster is dropped at the proxy and counted. */
  tapLinesPerSecondMax: 1_000,
  /** Endpoints of a service that an answer to `heddle why` shows, those with trouble first. */
  evidenceEndpointsMax: 50,
  /** How often a stream of the control plane says that it is there; after three times as much silence it is given up. */
  streamHeartbeatMs: 10_000,
  /** What waits for a reader of a stream; with more the stream is ended, and its reader comes again. */
  streamQueueBytesMax: 32 * mib,
  /** A snapshot is one line. */
  streamLineBytesMax: 32 * mib,
  /** How long a registry or controller that ends lets calls finish. */
  controlDrainMs: 2_000,
  /** Connections that have shown no certificate, to one port: of one address, and in all. */
  strangersPerSourceMax: 256,
  /** Connections to the port of the controller that have shown no certificate; with more the one that stands there longest gives way. */
  strangersMax: 1_024,
  /** Connections of one address to the port for other proxies that have shown no certificate; the one that stands there longest gives way. */
  meshStrangersPerSourceMax: 2_048,
  /** Connections to the port for other proxies that have shown no certificate; with more the one that stands there longest gives way. */
  meshStrangersMax: 4_096,
  /** What all of those have sent of handshakes that are not whole. */
  meshStrangersBytesMax: 8 * mib,
  /** One that came so lately does not give way. */
  strangerGraceMs: 1_000,
  /** Of one that shows none in its handshake either. */
  strangerMs: 30_000,
  /** How often the registry looks whether its certificate was replaced. */
  credentialFileLookMs: 1_000,
  /** By then the registry knows the roots and shows the credential that it was given last. */
  rotationSettleMs: 3_000,
  /** A rotation in a hurry waits so long for machines; so long where it goes on without them. */
  rotationNowMs: 180_000,
  /** How long `heddle ca rotate --now --force` waits for machines; it goes on without those that do not answer. */
  rotationForceMs: 15_000,
  /** How often `heddle ca rotate --now` looks how far it is. */
  rotationLookMs: 250,
  /** Within which a controller or registry accepts a connection; else the next address is tried, or the call has failed. */
  controlConnectMs: 3_000,
  /** To reach one of several addresses of a server, while another one is there to be tried. */
  controlTrialMs: 1_000,
  /** Within which a call of the control plane is answered; else it has failed. */
  controlCallMs: 15_000,
  /** An apply may have policies compiled, and wait for those of others. */
  controlApplyMs: 180_000,
  /** Of a controller, or of a registry. */
  controlAddressesMax: 16,
  /** Until every machine that follows has said that it knows them. */
  controlPlaceKnownMs: 30_000,
  /** How often it is looked whether all machines know of a new address of the control plane. */
  controlPlaceLookMs: 100,
  /** Bytes of one line that a machine sends on the stream of its snapshots; what is longer it tells by a call. */
  upLineBytesMax: 131_072,
  /** The first pause after a connection to controller, registry or service manager broke; it doubles with each. */
  reconnectMs: 100,
  /** The longest pause before the next try. */
  reconnectMaxMs: 10_000,
  /** Free on the file system of the state folder: below it `heddle check` warns. */
  stateFreeBytesMin: 64 * mib,
  /** Of a backup, of each part of it, and of the store that it is made of. */
  backupBytesMax: 1024 * mib,
  /** Of the list of files in a backup; with a longer one it is no backup. */
  backupListBytesMax: 64 * kib,
  /** How often a backup is begun anew because something changed while it was read; then it fails. */
  backupTrials: 5,
  /** Of a passphrase in a file; a longer one is refused. */
  passphraseBytesMax: 4 * kib,
  /** Of a caller without a certificate. */
  controlStrangerBodyBytesMax: 64 * kib,
  /** Of the body of one call of the control plane; a longer one is answered 413. */
  controlBodyBytesMax: 8 * mib,
  /** Of bodies of requests to one port that are not answered yet; one caller has as much as it leaves free. */
  controlBodiesBytesMax: 64 * mib,
  /** Of one machine: the proxy, those that it took over from, its successor, and one that has not noticed that its stream broke. */
  snapshotStreamsPerNodeMax: 7,
  /** Of one file of documents; a longer one is refused. */
  documentBytesMax: mib,
  /** Documents that may stand at a time; an apply that makes more is refused. */
  documentsMax: 5_000,
  /** So long nobody else is given the virtual address of a service that was deleted. */
  addressRestMs: 7 * 24 * 3_600_000,
  /** Such addresses; of more, those of services that were deleted first are given again. */
  addressesRestingMax: 10_000,
  /** Folders below one another in which documents and policies are looked for, and all that may lie there. */
  documentFoldersMax: 16,
  /** Files and folders that are looked through for one apply; with more it is refused. */
  documentNamesMax: 20_000,
  /** Of services that one local service may be given a port to. */
  upstreamsMax: 256,
  /** Names that apps of one machine call and that no service is known by: the latest ones. */
  unconfirmedNamesMax: 256,
  /** All that the controller is told that a machine uses. */
  usesMax: 22_000,
  /** Between two questions of one machine to the controller. */
  askEveryMs: 50,
  /** Aliases (`*name`) in one file of documents; with more it is refused. */
  documentAliasesMax: 20,
  /** How deep a document may be nested; a deeper one is refused. */
  documentDepthMax: 32,
  /** Brackets that are open at a place of a file; with more it is refused before it is parsed. */
  documentBracketsMax: 1_000,
  /** Problems that are told of one apply; the rest is left out. */
  documentIssuesMax: 200,
  /** Lines of one document times lines of another that are compared to show what differs; of longer ones all between the first and the last difference is shown. */
  diffComparisonsMax: 4_000_000,
  /** Documents that the last change took away, by name: who applies upon an older revision is told of them. */
  deletionsKeptMax: 200,
  /** Matches of other rules that one of a route is compared with for warnings, the nearest ones; what lies farther is not told. */
  lintComparisonsMax: 128,
  /** Redirects that are followed from one rule on for warnings. */
  lintRedirectsMax: 16,
  /** Characters of a regular expression in a document; a longer one is refused. */
  expressionLengthMax: 256,
  /** How deep the groups of a regular expression may be nested; one that is deeper is refused. */
  expressionDepthMax: 16,
  /** Steps that a regular expression comes to with all its repetitions; one with more is refused. */
  expressionStepsMax: 1_000,
  /** States of one regular expression that are kept while it matches; with more they are forgotten and made anew. */
  expressionStatesMax: 500,
  // Routes (Gateway API, HTTPRouteRule)
  /** Routes of a service that are tried one by one; more are found by an index of their hosts and paths. */
  routesScannedMax: 8,
  /** Characters of the body that a route answers with itself; a longer one is refused. */
  directAnswerLengthMax: 4_096,
  /** Of a key in the registry; a longer one is refused. */
  registryKeyBytesMax: 1024,
  /** Of a value in the registry; a longer one is refused. */
  registryValueBytesMax: mib,
  /** Changes that the registry remembers; who was away for more of them reads all anew. */
  registryHistoryMax: 10_000,
  /** Characters of the changes that the registry remembers; the oldest are forgotten. */
  registryHistoryCharactersMax: 16 * mib,
  /** Of one line of a watch; a single entry may need more. */
  registryLineCharactersMax: mib,
  /** Of one page of a list, as JSON; a single row may need more. */
  pageCharactersMax: mib,
  /** Rows of one page of a list; further ones are on the next page. */
  pageRowsMax: 5_000,
  /** Changes of the registry that take effect together; a commit of more is refused. */
  commitOperationsMax: 10_000,
  /** Within which a controller tells others what changed of the machines that follow it. */
  peerNodesTellMs: 100,
  /** Between two attempts of a controller to get a new intermediate from the one with the root's key. */
  intermediateRetryMs: 60_000,
  /** How long a controller leads without saying so again; another one may lead then. */
  controllerHoldMs: 5_000,
  /** How often it says so. */
  controllerHoldRenewMs: 1_000,
  /** Entries that `heddle registry copy` moves. */
  copiedEntriesMax: 1_000_000,
  // etcd under the registry
  /** Within which a member of etcd answers; else another one is asked. */
  etcdCallMs: 2_000,
  /** To reach a member of etcd. */
  etcdConnectMs: 1_000,
  /** So long a registry tries to have a change taken by etcd before it refuses it. */
  etcdGiveUpMs: 8_000,
  /** Calls to etcd at the same time; further ones wait. */
  etcdConnectionsMax: 16,
  /** Commits to etcd at the same time; further ones wait. */
  etcdLanes: 8,
  /** Of an answer of etcd, or of one line of its watch; more is not read. */
  etcdAnswerBytesMax: 64 * mib,
  /** Entries that are read from etcd at once. */
  etcdPageRowsMax: 500,
  /** Operations of one transaction of etcd, which takes 128 itself; a larger commit becomes several behind a gate. */
  etcdOperationsMax: 100,
  /** Characters of one transaction of etcd, which takes 1.5 MiB itself; a larger commit becomes several behind a gate. */
  etcdTransactionCharactersMax: 320 * kib,
  /** How often a registry asks etcd whether what it knows is current. */
  etcdLookMs: 1_000,
  /** A registry that etcd has not answered for so long serves nobody: others may know more. */
  etcdSilentMs: 3_000,
  /** Looks in a row that find another number of keys than the watch told of, after which everything is read again. */
  etcdLooksAstray: 3,
  /** A large commit that has not moved on for so long is finished by whoever sees it. */
  etcdGateStaleMs: 3_000,
  /** How long the marks of a registry that is gone stand. */
  etcdMarksMs: 24 * 3_600_000,
  /** Labels of one instance; with more its document is refused. */
  labelsMax: 64,
  /** Of the name or value of a label; a longer one is refused. */
  labelLengthMax: 256,
  /** Names and values of one instance, in UTF-8. */
  labelBytesMax: 4 * kib,
  /** Of all instances on one machine. */
  labelBytesPerNodeMax: 512 * kib,
  /** Of one service on one machine. */
  instancesPerServiceMax: 64,
  /** Instances of all services on one machine; a Machine document with more is refused. */
  instancesPerNodeMax: 192,
  // Dashboard
  /** How often every proxy tells the controller what it counted. */
  trafficSampleMs: 10_000,
  /** Readings of a proxy that the dashboard has a history of: an hour; older ones are forgotten. */
  trafficSamplesMax: 360,
  /** What is shown as now is the sum of so many of the newest. */
  trafficNowSamples: 3,
  /** Of one reading of a proxy; those with the fewest requests are left out. */
  trafficReadingEdgesMax: 1_000,
  /** Pairs of services in the whole mesh that have a history; further ones are counted, and have none. */
  trafficEdgesMax: 10_000,
  /** Services in the whole mesh that have a history; further ones are counted, and have none. */
  trafficServicesMax: 2_000,
  /** Of sessions in a browser at a time; the oldest ends for a new one. */
  dashboardSessionsMax: 64,
  /** How long a session in a browser lasts; then it takes a new link. */
  dashboardSessionMs: 12 * 3_600_000,
  /** The link of `heddle dashboard` works once, and for so long. */
  dashboardCodeMs: 600_000,
  /** Of questions that the pages ask, body and all. */
  dashboardBodyBytesMax: 64 * kib,
  // Policies
  /** Processor time that a policy may take for one call, unless it says otherwise; a call that takes more counts as a trip. */
  policyCpuMs: 2,
  /** The most processor time for one call that a policy may ask for. */
  policyCpuMaxMs: 100,
  /** How long all that one call of a policy waits for may take, unless it says otherwise (limits.wait). */
  policyWaitMs: 50,
  /** The longest that a policy may ask to wait. */
  policyWaitMaxMs: 5_000,
  /** What one call of a policy may ask of services and have checked; one that asks for more has failed. */
  policyWantsMax: 16,
  /** Calls of one version of a policy that wait for services; the oldest is forgotten, and fails. */
  policyWaitsMax: 1_024,
  /** Requests of all policies of an event loop that are under way to services; further ones are not made. */
  policyCallsMax: 1_024,
  /** Keys of counters that policies share with the whole mesh, of one event loop; the one that was not touched for longest is forgotten. */
  policySharedKeysMax: 1_000,
  /** Reservations of such counters, of one event loop, that are not settled; further ones push out the oldest, which counts as used. */
  policySharedHoldsMax: 10_000,
  /** Of such keys of the mesh that a controller deals out; the one that was not asked for longest is forgotten. */
  policySharedCountersMax: 20_000,
  /** Of the body that a policy sends to a service, and of the one that it gets; a longer one is a failure of the call. */
  policyCallBodyBytesMax: 64 * kib,
  /** A checker of options that nobody asks for so long is ended. */
  policyCheckerIdleMs: 5_000,
  /** Of a policy as one script; a longer one is refused. */
  policyBundleBytesMax: mib - 4 * kib,
  /** Places of an author's files that a bundle knows, to say where it failed. */
  policyPlacesMax: 10_000,
  /** Calls of one policy that are under way; further ones are not made, and end as its onError says. */
  policyInboxMax: 1024,
  /** Sealed processes of one proxy: one for each name of a policy, and one for all that ship. */
  policyProcessesMax: 32,
  /** Of each version of a policy in its process; a process that takes more than all of them may is ended and started anew. */
  policyMemoryBytesMax: 64 * mib,
  /** What a process of policies may take beside policyMemoryBytesMax of each version; one that takes more is ended. */
  policyHostBaseBytesMax: 96 * mib,
  /** How often a process of policies is looked at while it works. */
  policyHostWatchMs: 20,
  /** Failures of a policy within policyTripWindowMs after which it is put aside, and ends as its onError says. */
  policyTripsMax: 5,
  /** The time within which the failures of a policy are counted (policyTripsMax). */
  policyTripWindowMs: 60_000,
  /** A policy that is put aside is tried again after so long; each time that it fails at once, after twice as long. */
  policyQuarantineMs: 5_000,
  /** The longest that a policy is put aside before it is tried again. */
  policyQuarantineMaxMs: 300_000,
  /** The first pause before a process of policies that ended is started again; it doubles with each. */
  policyRespawnMs: 10,
  /** The longest pause before a process of policies that ended is started again. */
  policyRespawnMaxMs: 5_000,
  /** For how long requests wait for a policy that is being started; then they end as its onError says. */
  policyReadyMs: 3_000,
  /** Policies that a new snapshot does not name stay so long, for requests that are under way. */
  policyRetireMs: 5_000,
  /**
   * Of one answer of a policy; a longer one is a failure of it. Calls that come to more leave in several messages. The longest body fits
   * that a policy may see and write again, whatever its client wrote: `1e20,` becomes 22 letters.
   */
  policyMessageBytesMax: 640 * kib,
  /** Members and elements of one answer: reading it takes time for each. */
  policyAnswerPartsMax: 2_048,
  /** What policies may write into the head of a request, all together, or into that of an answer. */
  policyHeadBytesMax: 32 * kib,
  /** Of one message between a proxy and a process of policies; from a process a longer one ends it. */
  policyFrameBytesMax: 4 * mib,
  /** Of calls that wait for a process of policies; further ones are not made, and end as onError says. */
  policyBacklogBytesMax: 4 * mib,
  /** Calls of a policy in one message; further ones leave in the next. */
  policyBatchCallsMax: 256,
  /** Kinds of differences between a version of a policy in force and one that is tried beside it; what is beyond is counted together. */
  policyDifferencesMax: 32,
  /** Calls of the version in force, of which is known how often it fails when another is tried; beyond, those of before count half. */
  trialEarlierCallsMax: 10_000,
  /** Versions in force of which that is counted. */
  trialUsualsMax: 256,
  /** Calls of the version in force before it is known what takes long. */
  trialUsualCallsMin: 50,
  /** First calls of a version that is tried, of which nobody asks how long they take. */
  trialWarmCalls: 20,
  /** An answer of a policy before that is not late, whatever is usual: microseconds. */
  trialLateUsMin: 4_096,
  /** What code of a policy may take for one call, whatever is usual: microseconds. */
  trialCostlyUsMin: 512,
  /** So often a proxy tells the controller how versions do that are tried, while that changes. */
  trialsTellMs: 500,
  /** What happened to a policy that is remembered, the newest. */
  policyHistoryMax: 50,
  /** Versions of one policy that are kept, the newest; and those in force, tried, and before whatever their age. */
  policyVersionsMax: 10,
  /** Of all versions of one policy that are kept; older ones go. */
  policyVersionsCharactersMax: 4 * mib,
  /** The shortest beginning of a hash by which operators name a version of a policy. */
  policyHashStartLengthMin: 4,
  /** Bytes of a file of recorded traffic: `heddle policy replay` holds all of it in memory. */
  recordingBytesMax: 512 * mib,
  /** Requests that `heddle policy record` takes when nobody says how many. */
  recordingRequests: 100_000,
  /** Processor time of the thread of a policy: whoever takes more without an answer is ended. */
  policyLoadCpuMs: 2_000,
  /** Processor time that a policy may take for one call without an answer; then its worker is ended, and the call has failed. */
  policyHangCpuMs: 200,
  /** The same for one that may take more for a call: so many times what it may take. */
  policyHangFactor: 10,
  /** Time by the wall, however little of it the policy had a processor. */
  policyLoadMs: 20_000,
  /** Time by the wall that a policy may take for one call without an answer; then its worker is ended, and the call has failed. */
  policyHangMs: 5_000,
  /** By the wall a policy may take so many times the processor time after which it hangs (policyHangCpuMs). */
  policyHangWallFactor: 25,
  /** How often it is looked for calls of policies that take too long. */
  policyWatchdogMs: 10,
  /** Of a push: processor time of the sealed compiler, and far above it time, for machines that are busy. */
  policyBundleMs: 10_000,
  /** Time by the wall that the check of a push may take; a push that takes longer fails. */
  policyBundleWallMs: 60_000,
  /** Of the memory of the sealed compiler; a push that takes more fails. */
  policyCompilerBytesMax: 768 * mib,
  /** Pushes that wait for the one compiler. */
  policyBundlingsMax: 8,
  /** Scripts that the controller keeps so that the same push is not compiled again. */
  policyKnownBytesMax: 16 * mib,
  /** Files of one push; one with more is refused. */
  policySourcesMax: 64,
  /** Of the name of a file of a policy; a longer one is refused. */
  policyFileNameLengthMax: 128,
  /** Of one file. */
  policyImportsMax: 256,
  /** Problems that are told of one push; the rest is left out. */
  policyIssuesMax: 50,
  /** Of the words of one problem of a push; longer ones are cut. */
  policyIssueLengthMax: 300,
  /** Points of an exchange that a proxy may say it asks policies at. */
  policyHooksMax: 64,
  /** Of machines that are named in one refusal; the others are counted. */
  policyMachinesShownMax: 10,
  /** Of the name of a policy; a longer one is refused. */
  policyNameLengthMax: 63,
  /** Of the version of a policy; a longer one is refused. */
  policyVersionLengthMax: 32,
  /** From nothing to ready, by the wall: many start at once, and the machine may be busy. */
  policyHostStartMs: 30_000,
  /** After so long a silence its processor time is looked at. */
  policyHostSilentMs: 1_000,
  /** Processor time of a process of policies while it says nothing; one that takes more is ended. */
  policyHostSilentCpuMs: 5_000,
  /** How often a process of policies is looked at while it has nothing to do. */
  policyHostIdleWatchMs: 1_000,
  /** Of the words with which a policy gives a reason; longer ones are cut. */
  policyReasonLengthMax: 200,
  /** Of what a policy says of itself and its options; with more it is refused. */
  policyDescriptionLengthMax: 4 * kib,
  /** What a process may still say of policies that were taken from it. */
  policyLateFramesMax: 10_000,
  /** What a process may still say of policies that were taken from it, in bytes; one that says more is ended. */
  policyLateBytesMax: 64 * mib,
  /** Of a body that a policy asks to see as JSON, unless it says otherwise (limits.body); a longer one it does not see. */
  policyBodyBytes: 64 * kib,
  /** The longest body that a policy may ask to see. So much of a request or an answer waits for it. */
  policyBodyBytesMax: 128 * kib,
  /** Bytes of one exchange that wait for a policy to see them on their way; those that come meanwhile it does not see. */
  policyChunkBytesMax: 256 * kib,
  /** Arrays and objects within one another in a body that policies see: code that follows them one by one must not run out of stack. */
  policyBodyDepthMax: 256,
  /** Calls of one exchange about bytes on their way that are under way; what comes meanwhile is gathered into few. */
  policyChunkCallsMax: 8,
  /** Of the calls that a policy may have under way, and of what waits for its process: calls about bytes on their way take no more. */
  policyChunkShare: 0.5,
  /** Of what a policy sees at a time of bytes on their way. */
  policyChunkPartBytes: 32 * kib,
  /** Events of a stream that a policy is shown at a time. */
  policyEventsMax: 64,
  /** Of an event that policies are shown; a longer one is a failure of each policy that sees events. So much of a stream may wait for them before it is paused. */
  policyEventBytesMax: 64 * kib,
  /** Endpoints that a policy is shown to pick from; the others it does not see. */
  policyEndpointsMax: 128,
  /** Keys of the counters of a policy for one service; the one that was not touched for longest is forgotten. */
  policyCounterKeysMax: 16_384,
  /** Exchanges of a policy that have something in its scratch; the oldest is forgotten. */
  policyScratchesMax: 16_384,
  /** What a policy may log, count and observe in one call; more is left out. */
  policyNotesMax: 16,
  /** Of a message that a policy logs, and of each name and value beside it; longer ones are cut. */
  policyNoteLengthMax: 200,
  /** Lines of one policy in the log of a proxy each second; more are counted and left out. */
  policyLogLinesPerSecond: 20,
  /** Names and labels that one policy counts or observes under in a proxy; further ones share the label `other`. */
  policySeriesMax: 100,
  /** Of one text that comes out of a sealed process; a longer one is a failure of it. */
  policyFieldLengthMax: 8 * kib,
  // Telemetry
  /** Combinations of labels of one metric; further ones are counted together, with `other` in their labels. */
  seriesPerMetricMax: 2_000,
  /** Handles of metrics that are found without building their labels. */
  metricHandlesMax: 2_000,
  /** Of the value of a label; a longer one is cut. */
  labelValueLengthMax: 256,
  /** Of what one proxy tells another, or a client, about a failure. */
  failureDetailLengthMax: 512,
  /** Of calls that went well, so many have a line in the access log where nothing else is said. */
  accessLogSampleShare: 0.01,
  /** What the access log gathers of its sample between two writes, in characters. */
  accessLogSampleBytes: 64 * kib,
  /** The same of errors and whatever else is always kept. */
  accessLogKeptBytes: mib,
  /** Of lines that wait for a slow reader of stdout, or of stderr, in characters; more are dropped. */
  logWaitingCharactersMax: 2 * mib,
  /** How often the lateness of the event loop is measured. */
  loopProbeMs: 500,
  /** How often lines of the access log that were gathered are written. */
  accessLogFlushMs: 200,
  /** One part of `heddle bugreport` has so many characters: the last ones, where there are more. */
  bugreportPartCharactersMax: 8 * mib,
  /** Of the log of each mode so many lines are in it, the last ones. */
  bugreportLogLines: 2_000,
  // Probes
  /** How often the app of an instance is probed, unless health.every says otherwise. */
  probeEveryMs: 2_000,
  /** Within which a probe is answered; else it has failed. */
  probeTimeoutMs: 1_000,
  /** How often an app is probed that did not answer well the last time. */
  probeUnwellEveryMs: 500,
  /** Words of a command that probes an app, how long each may be, and how much of what it says is told. */
  probeWordsMax: 32,
  /** Characters of one word of such a command. */
  probeWordMax: 1_024,
  /** Characters of what such a command says that are told where it finds the app unwell. */
  probeSaidMax: 200,
  /** A call of a name that is not known yet waits so long for the controller. */
  discoverMs: 3_000,
  /** How long it is said again of a name that it is not there, without another question. */
  absenceMs: 500,
  // DNS (RFC 1035, RFC 6891, RFC 7766)
  /** So long an answer may be kept, and that there is none too. */
  dnsTtlMs: 5_000,
  /** Of a datagram to a client that knows nothing of EDNS, and to one that does. */
  dnsUdpPlainBytesMax: 512,
  /** Of a datagram to a client that knows EDNS; a longer answer is cut, and its client asks again over TCP. */
  dnsUdpBytesMax: 1_232,
  /** Of an answer over TCP, as its length field bounds it. */
  dnsTcpBytesMax: 64 * kib - 1,
  /** Of a query over TCP. */
  dnsQueryBytesMax: 4 * kib,
  /** Answers that are kept encoded. */
  dnsAnswersMax: 8_192,
  /** Of the words in an answer that say why it is empty. */
  dnsNoteBytesMax: 200,
  /** Connections of clients of DNS over TCP; with more the one that was silent longest is ended. */
  dnsConnectionsMax: 128,
  /** Of a connection on which nothing is asked. */
  dnsIdleMs: 10_000,
  /** Answers that wait for a client of TCP that does not read. */
  dnsUnreadBytesMax: 64 * kib,
  /** A port that could not be had is tried again after so long. */
  dnsRetryMs: 1_000,
  // Interception
  /** Ports to which connections of intercepted units are redirected: so many to different places may come from one port of a unit. */
  redirectedPorts: 16,
  /** Places to which connections were going whose callers' ways are remembered; beyond it all are forgotten, and made anew. */
  redirectedPlacesMax: 1_000,
  /** Callers around the mesh, each with the port that it calls, that the firewall counts apart; it counts no further ones by name. */
  clearCallersMax: 4_096,
  /** So long such a caller is remembered after it was last seen. */
  clearCallerSeconds: 24 * 3_600,
  /** Rules that are new go again by themselves unless somebody confirms them within that time. */
  interceptConfirmMs: 60_000,
  /** How often it is looked whether the rules stand: after a flush of the firewall units are outside of the mesh for so long. */
  interceptKeepMs: 10_000,
  /** So long a connection to what is not in the mesh may take to stand. */
  passThroughConnectMs: 30_000,
  /** Connections of one service, to one event loop, that pass to what is not in the mesh. */
  passedThroughMax: 8_192,
  // Virtual addresses
  /** Folders of cgroups that are remembered; units whose folders come later are not told from one another, and have no identity. */
  cgroupsMax: 20_000,
  /** Time between two looks through all cgroups; a connection of a new one waits for the next look. */
  cgroupsLookMs: 200,
  /** Connections that wait until it is known which unit calls; more are refused. */
  callersWaitingMax: 1_000,
  /** Services that have one on a machine: each costs a listener. */
  virtualListenersMax: 2_000,
  /** How often it is looked whether a port is free, or wanted by an app. */
  virtualLookMs: 2_000,
  /** The same of one that somebody has at just that address, or that is not ours to take. */
  virtualRetryMs: 30_000,
  /** A port that an app had on all addresses is kept free for so long after it was last seen there. */
  heldPortRestMs: 7 * 24 * 3_600_000,
  /** How often it is written down, at most, that an app still has a port. */
  heldPortSaveMs: 3_600_000,
  /** Characters of names that are taken over into /etc/hosts; what is longer is refused as a whole. */
  hostsBytesMax: 1024 * kib,
  // Service manager
  /** Listening sockets of one service that its manager keeps while it is started again. */
  storedSocketsMax: 4_096,
  /** How long a process that was started again has until what nobody wants of them is closed. */
  storedSocketsMs: 5_000,
  /** Pause before a manager that has no room for a message is told again. */
  managerFullMs: 2,
  /** After so many such pauses for one message it hears no more of them. */
  managerFullTries: 100,
  // Upgrades
  /** Processes of one mode that others took over from, and that still let what they have open finish. */
  drainingGenerationsMax: 4,
  /** How long what is open may go on in a process that another one took over from, unless somebody says otherwise. */
  upgradeDrainMs: 15 * 60_000,
  /** What takes over has so long until it says that it runs, until it has taken each socket, and until it serves; then it is given up. */
  upgradeStepMs: 20_000,
  /** How long a program may take to say its version before an upgrade goes to it. */
  upgradeCheckMs: 10_000,
  /** A mode that is asked to hand over has so long until it says what came of it: that of the program, and of the one that goes back. */
  upgradeAnswerMs: 100_000,
  /** How often somebody who waits in an upgrade looks. */
  upgradeLookMs: 100,
  // Event loops of one proxy
  /** Looks at the lock of a row of numbers that loops share, which takes nanoseconds, before one goes on without. */
  sharedRowSpinsMax: 10_000,
  /** Who waits for a place that another loop may give back, or for a connection that only ceases to be used, looks again after so long. */
  sharedPlacesLookMs: 10,
  /** Connections that nothing uses are given up for other loops that wait; whether any does is looked at so often. */
  sharedIdleLookMs: 100,
  /** A loop that has waited so long for a connection gets one that many share and that another loop never leaves unused. */
  sharedBusyMs: 200,
  /** Room that a loop which has waited longer does not take for so long is the next one's. */
  sharedTurnMs: 50,
  /** The same of the lock of the table of such rows. */
  sharedTableSpinsMax: 10_000_000,
  /** A loop shows that it lives, and counts its connections, so often. */
  shardBeatMs: 50,
  /** One that is ahead of others looks so often whether they have caught up. */
  shardCatchUpMs: 2,
  /** A loop that has not shown it for so long keeps no other one from accepting. */
  shardSilentMs: 200,
  /** By how much of the connections of the loop that has the fewest another one may be ahead before it stops accepting. */
  shardAheadRatio: 0.05,
  /** Event loops that a proxy may have. */
  shardsMax: 16,
  /** Event loops of a proxy that is told to fit the machine (`--shards auto`): one for each core, so many at most. */
  shardsFittingMax: 4,
  /** And no more than one for so much memory of the machine. */
  shardNeedsBytes: 512 * mib,
  /** Rows and tallies that loops have in common at a time; what comes beyond has numbers of each loop's own. */
  sharedNamesMax: 65_536,
  /** Their numbers. Memory that nobody has written to costs nothing. */
  sharedNumbersMax: 4_194_304,
  /** Of one message between the keeper of a proxy and a shard: mostly a snapshot. */
  shardMessageBytesMax: 256 * mib,
  /** Of what a shard was told and has not taken; one that is told more then is ended. */
  shardUntakenBytesMax: 32 * mib,
  /** Orders that wait behind a port which a shard cannot be handed yet; with so many it is ended. */
  shardWaitingMax: 100_000,
  /** Descriptors on their way to a shard; further ones wait until it has taken some. */
  shardHandedMax: 64,
  /** Snapshots of which a shard's policies may still be asked: requests that began under one go on under it. */
  shardSnapshotsKept: 8,
  /** How often a shard tells what it counted. */
  shardReportMs: 1_000,
  /** A port that is given up stays open so long at most for shards that have not let go of it. */
  shardShutMs: 500,
  /** Whoever reads the metrics of a proxy waits so long for what its shards counted last. */
  shardGatherMs: 500,
  /** Of reports and lines of the log that the keeper has not taken; what comes beyond is dropped, and lines are counted. */
  shardBacklogBytesMax: 4 * mib,
  /** A shard that has not shown for so long that it could go by a snapshot, or that it has begun, is ended. */
  shardPrepareMs: 20_000,
  /** How often the keeper looks whether each shard has shown that it lives. */
  shardLookMs: 250,
  /** A shard that does not show it, and takes so much processor time meanwhile, hangs: it is ended. */
  shardHungCpuMs: 3_000,
  /** A shard that does not show for so long that it lives is ended, whatever it takes: the machine may have no time for it. */
  shardHungMs: 30_000,
  /** Of the memory of the machine, or of the proxy's control group, for all shards of a proxy: beyond it the largest of them is ended. */
  shardsMemoryShare: 0.5,
  /** The least that they can be told to take, in MiB (HEDDLE_SHARDS_MEMORY): less ends them where nothing is wrong. */
  shardsMemoryMinMib: 256,
  /** Before a shard is started anew that ended soon after its start; the wait doubles each time. */
  shardRestartMs: 50,
  /** How long that wait gets at most. */
  shardRestartMaxMs: 5_000,
  /** One that has lived so long is started anew at once. */
  shardSettledMs: 10_000,
  /** When all is told to end, shards have so long to write what they gathered. */
  shardEndMs: 2_000,
} as const;

assert(
  limits.inferenceHeldBytesMax <= limits.modelHeldBytesMax &&
    limits.modelHeldBytesMax <= limits.modelsHeldBytesMax &&
    limits.modelsHeldBytesMax < limits.bufferedBytesMax * limits.bufferedTightShare,
  "requests whose model has not come leave room for all else that waits",
);
assert(
  limits.modelListsMax * limits.modelListServicesMax <= limits.policyCallsMax / 2,
  "lists of models leave policies room for what they ask of services",
);
assert(limits.bufferLowBytes < limits.bufferHighBytes, "low mark below high mark");
assert(
  limits.keepAlivePoolMs < limits.keepAliveInboundMs,
  "a pooled connection ends before its server closes it",
);
assert(
  limits.h2LocalStreamWindowBytesMax < limits.h2LocalConnectionWindowBytes &&
    limits.h2MeshStreamWindowBytesMax < limits.h2MeshConnectionWindowBytes,
  "no single stream fills the window of its connection",
);
assert(
  limits.h2StreamWindowBytes <= limits.h2LocalStreamWindowBytesMax &&
    limits.h2StreamWindowBytes <= limits.h2MeshStreamWindowBytesMax,
  "a window grows from where it begins",
);
assert(
  limits.bufferedTightShare < limits.bufferedRelievedShare &&
    limits.bufferedRelievedShare < limits.bufferedFullShare &&
    limits.bufferedFullShare < 1,
  "what gives way leaves room, and nothing grows before it has to",
);
assert(
  limits.h2LocalRequestsPerTurnMax * 2 <= limits.h2WaitingRequestsPerTurnMax &&
    limits.h2RequestsAtOnceMax < limits.h2LocalRequestsPerTurnMax,
  "connections that wait have turns whatever is read meanwhile",
);
/** Of a bounded thing: what one of those that share it by this factor holds when nobody else wants any. */
const shareAlone = (factor: number): number =>
  1 + 1 / (2 * factor) - Math.sqrt((1 / factor) * (1 + 1 / (4 * factor)));
const clientAlone = shareAlone(limits.callerShareFactor) * shareAlone(limits.clientShareFactor);
assert(
  limits.requestsMax * clientAlone >= limits.h2LocalStreamsMax,
  "a client that is alone may use all its streams",
);
assert(
  limits.pendingMax * clientAlone >= limits.h2LocalStreamsMax,
  "all streams of one client may wait for a first connection",
);
assert(
  limits.h2UnfinishedMax >= Math.max(limits.h2LocalStreamsMax, limits.h2MeshStreamsMax),
  "all streams of a client may be answered before it has heard of one",
);
assert(limits.h2FramesPerTurnMax > 0 && limits.h2QuantumBytes > 0, "each turn makes progress");
assert(
  limits.bodyWatchMs < limits.bodyStallMs &&
    limits.bodyStallMs < limits.bodyGraceMs &&
    limits.bodyGraceMs < limits.bodyProgressMs,
  "a body is looked at before it can be too slow",
);
assert(limits.timerTickMs < limits.timerStallMs, "a tick is not taken for a stall");
assert(
  limits.strangersPerSourceMax < limits.strangersMax &&
    limits.meshStrangersPerSourceMax < limits.meshStrangersMax,
  "no single address fills a port",
);
assert(
  limits.servicesPerNodeMax < limits.strangersPerSourceMax &&
    limits.connectionsMax < limits.meshStrangersPerSourceMax,
  "a machine may begin all of its connections at once",
);
assert(limits.strangerGraceMs < limits.clientHelloMs, "who says nothing gives way before its time is over");
assert(limits.leaseRenewMs * 2 < limits.leaseMs, "one lost renewal does not end a lease");
assert(limits.targetBytesMax < limits.requestHeadBytesMax, "a target fits a head");
assert(
  limits.h2ContinuationsMax * limits.h2FrameBytesMax >= limits.h2HeadExcessMax * limits.responseHeadBytesMax,
  "a head that is too long fails alone, however it is cut into frames",
);
assert(
  limits.leaseMsMin <= limits.leaseMs && limits.leaseMs <= limits.leaseMsMax,
  "the default lease is allowed",
);
assert(
  Math.max(limits.registryValueBytesMax, limits.registryLineCharactersMax) * 6 < limits.controlBodyBytesMax,
  "a line fits what its reader takes, however its characters are escaped",
);
assert(
  limits.controlBodyBytesMax * 4 <= limits.controlBodiesBytesMax,
  "three callers may send any body at once",
);
assert(limits.streamQueueBytesMax <= limits.streamLineBytesMax, "what is sent as one line is read as one");
assert(
  limits.expositionCharactersMax * 1.5 < limits.controlBodyBytesMax,
  "a page of metrics fits what its reader takes, though each quotation mark takes two bytes there",
);
assert(limits.pageCharactersMax * 3 < limits.controlBodyBytesMax, "a page fits what its reader takes");
assert(
  limits.controlBodyBytesMax <= limits.registryHistoryCharactersMax,
  "the history holds at least the latest commit",
);
assert(
  limits.policyBundleMs * 4 <= limits.policyBundleWallMs && limits.policyBundleWallMs < limits.controlApplyMs,
  "a compiler on a busy machine has time, and who waits for it is told how it ended",
);
assert(limits.documentsMax <= limits.commitOperationsMax, "all documents can be applied at once");
assert(
  limits.instancesPerServiceMax >= limits.servicesPerNodeMax &&
    limits.instancesPerNodeMax > limits.instancesPerServiceMax * 2 &&
    limits.labelBytesPerNodeMax >= limits.instancesPerServiceMax * limits.labelBytesMax * 2,
  "what a Machine document may say can be registered, while one of its services takes all that it may",
);
assert(
  limits.servicesPerNodeMax * limits.upstreamsMax + limits.documentsMax + limits.unconfirmedNamesMax <=
    limits.usesMax,
  "every service that exists has room among those that a machine uses, whatever else it asks for",
);
assert(
  limits.retriesMax + 2 <= limits.evidenceAttemptsMax,
  "the first, each retry and one beside are remembered",
);
assert(
  2 * limits.evidencePoliciesMax * (limits.evidenceTextLengthMax + 16) + 8 * limits.evidenceTextLengthMax <
    limits.evidenceRecordBytesMax,
  "what is remembered of one request fits its room",
);
assert(
  limits.evidenceBytesMax + 4 * limits.evidenceNamesMax * limits.evidenceNameLengthMax <= 8 * mib,
  "what is remembered of requests stays small, whoever makes up names",
);
assert(
  limits.trafficSampleMs >= limits.questionEveryMinMs &&
    limits.trafficSampleMs <= limits.questionEveryMaxMs &&
    limits.trafficNowSamples + 2 < limits.trafficSamplesMax,
  "what the dashboard asks of proxies is a question as any",
);
assert(limits.joinTokenMs <= limits.joinTokenMaxMs, "the default token is allowed");
assert(
  limits.policyBundleBytesMax + 2 * kib < limits.registryValueBytesMax,
  "a policy can be stored beside what is known of it",
);
assert(
  limits.policyHostStartMs * (limits.policyTripsMax - 1) > limits.policyTripWindowMs,
  "a machine that is too busy to start a process puts no policy aside",
);
assert(
  limits.policyHangFactor * limits.policyCpuMaxMs < limits.policyHostSilentCpuMs,
  "a policy host has time to end a worker that hangs before it is ended itself",
);
assert(
  limits.requestHeadBytesMax + limits.policyHeadBytesMax + limits.targetBytesMax <
    (limits.h2HeadExcessMax - 1) * limits.requestHeadBytesMax,
  "no policy makes a head so long that the connection it travels on is ended",
);
assert(
  limits.breakerPenaltyMs <= limits.breakerPenaltyMaxMs && limits.breakerEjectedShareMax < 1,
  "a breaker's penalty grows, and not every endpoint can be ejected",
);
assert(
  limits.managerExtendMs <= limits.serviceStopMs && limits.managerStatusMs < limits.managerExtendMs,
  "a mode that ends has asked for more time before the first of it is over",
);
assert(limits.leafMs <= limits.leafMsMax, "the default certificate is allowed");
assert(
  limits.leafMs < limits.intermediateMs && limits.intermediateMs < limits.rootMs,
  "a leaf ends before its issuer",
);
