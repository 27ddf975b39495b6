/**
 * Every bound of heddle, with its unit in its name. Nothing else in the sources decides how much is too much.
 * Relations between limits are asserted when this file loads.
 */
import { assert } from "../base/assert.ts";

const kib = 1024;
const mib = 1024 * kib;

export const limits = {
  // HTTP heads (RFC 9112 section 3, RFC 6585 section 5)
  requestHeadBytesMax: 32 * kib,
  responseHeadBytesMax: 64 * kib,
  fieldCountMax: 100,
  targetBytesMax: 16 * kib,
  methodBytesMax: 32,
  // HTTP bodies (RFC 9112 section 7.1)
  contentLengthDigitsMax: 15,
  chunkSizeDigitsMax: 15,
  chunkExtensionBytesMax: 256,
  chunkExtensionsBytesMax: 4 * kib,
  trailerBytesMax: 8 * kib,
  /** Of answers: gRPC says there what failed, with details. */
  responseTrailerBytesMax: 64 * kib,
  interimAnswersMax: 16,
  replayBodyBytesMax: 64 * kib,
  requestsPerTurnMax: 16,
  // HTTP/2: what a side takes, by where it stands
  h2LocalStreamsMax: 2_000,
  /** Of a stream when it begins; one whose reader keeps up gets more. */
  h2StreamWindowBytes: 32 * kib,
  /** Half of it taken within so long: more would be used. */
  h2WindowGrowMs: 250,
  h2LocalStreamWindowBytesMax: 256 * kib,
  h2LocalConnectionWindowBytes: mib,
  h2MeshStreamsMax: 256,
  h2MeshStreamWindowBytesMax: mib,
  h2MeshConnectionWindowBytes: 16 * mib,
  h2FrameBytesMax: 16 * kib,
  h2MeshFrameBytesMax: mib,
  /** Streams before the server has said how many it takes: where both ends are heddle, and to an app that never said it. */
  h2StreamsEarlyMax: 100,
  h2StreamsUnknownMax: 1,
  // HTTP/2: what a peer may cost (RFC 9113 section 10.5)
  h2TableBytesMax: 4 * kib,
  h2ContinuationsMax: 16,
  /** A head that comes to so many times its limit is no mistake: it is not read on, and its connection ends. */
  h2HeadExcessMax: 4,
  h2HeadMemoryBytesMax: mib,
  h2ControlBurstMax: 100,
  h2ControlPerSecond: 10,
  h2PrioritiesPerStreamMax: 100,
  h2WindowUpdatesBaseMax: 5,
  h2WindowUpdatesPerStreamMax: 2,
  h2WindowUpdatesPerDataMax: 20,
  h2EmptyDataMax: 1,
  h2ResetsMax: 100,
  /** A client that resets most of what it opens has time after so many. */
  h2ResetsFreeMax: 25,
  h2ResetsShareMax: 0.5,
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
  h2QueuedControlFramesMax: 1_000,
  h2QueuedFramesMax: 10_000,
  h2QueuedBytesMax: 4 * mib,
  h2FramesPerTurnMax: 64,
  /** Of answers, which end work and begin none: what would wait for another turn had to be copied, and its socket paused. */
  h2AnswerFramesPerTurnMax: 1_024,
  h2LocalRequestsPerTurnMax: 16,
  /** So few of one read begin at once, however much others sent. */
  h2RequestsAtOnceMax: 2,
  /** Of all connections of a shard that wait for a further turn, and of reads that brought more at once. */
  h2WaitingRequestsPerTurnMax: 64,
  /** A client whose streams begin with less room takes no answer: it has time. */
  h2StreamWindowBytesMin: 256,
  /** Of all clients of a shard that have time. */
  h2SlowedRequestsPerTickMax: 1,
  h2SlowedTickMs: 1,
  /** While more streams that began without room are under way, the tick is longer: few of them will end soon. */
  h2WindowlessStreamsMax: 64,
  h2SlowedLongTickMs: 4,
  /** What one stream sends before another one that waits has its turn. */
  h2QuantumBytes: 16 * kib,
  /** A setting each, with room for those that are not known. */
  h2SettingsBytesMax: 6 * 64,
  h2GoawayBytesMax: 16 * kib,
  // HTTP/2: timers
  h2SettingsMs: 10_000,
  h2WatchMs: 1_000,
  h2PingMs: 10_000,
  h2PingAnswerMs: 3_000,
  /** Clients answer a PING ahead of requests that were made before they read the GOAWAY: those are still taken. */
  h2DrainGraceMs: 100,
  h2ClientIdleMs: 300_000,
  // Buffers of one direction of one connection
  bufferHighBytes: 64 * kib,
  bufferLowBytes: 16 * kib,
  // Buffers of all connections of a proxy, however many shards it has
  /** What waits for peers that do not take it: over it those end that hold most and make no progress. */
  bufferedBytesMax: 32 * mib,
  /** Of one read of a connection to an app, when it is opened and at most. With less TCP stands still for a fifth of a second. */
  inputBytes: 64 * kib,
  inputBytesMax: 512 * kib,
  /** Over this share of it nothing grows. */
  bufferedTightShare: 0.5,
  /** Over this share of it those give way that stand still, down to the other one, so that not every turn looks for more. */
  bufferedFullShare: 0.75,
  bufferedRelievedShare: 0.625,
  /** Who makes no progress for so long stands still. */
  bufferedStillMs: 3_000,
  bufferedLookMs: 100,
  /** After more than so much waited, memory is given back to the system when it does not any more. */
  bufferedCompactBytes: 4 * mib,
  bufferedCompactLookMs: 2_000,
  /** Windows of all streams beyond what they begin with. */
  bufferedLentShare: 0.5,
  /** Of what is left of that, to one stream at a time. */
  bufferedLentOneShare: 0.0625,
  // Timers of a connection
  tlsHandshakeMs: 5_000,
  clientHelloMs: 5_000,
  clientHelloBytesMax: 64 * kib,
  clientHelloRecordsMax: 16,
  firstByteMs: 10_000,
  /** An undeclared protocol is known by then, or the connection is opaque. */
  detectMs: 1_000,
  proxyHeaderBytesMax: 4 * kib,
  headMs: 10_000,
  bodyProgressMs: 30_000,
  /** A body that is awaited may come as it likes for so long; then on average at least so fast. */
  bodyGraceMs: 10_000,
  bodyBytesPerSecondMin: 240,
  bodyWatchMs: 1_000,
  /** A look that comes later than this: the proxy itself stood still, and no client is to blame. */
  bodyStallMs: 3_000,
  writeStallMs: 30_000,
  lingerMs: 2_000,
  answerIdleMs: 300_000,
  keepAliveInboundMs: 75_000,
  keepAlivePoolMs: 60_000,
  /** Of an app that says how long it keeps a connection, it is given up so much earlier, or at half of that time. */
  keepAliveMarginMs: 1_000,
  connectionAgeMs: 3_600_000,
  connectMeshMs: 1_000,
  connectLocalMs: 1_000,
  /** How long what is open may go on when a mode ends, unless somebody says otherwise. */
  drainMs: 30_000,
  drainMaxMs: 24 * 3_600_000,
  /** An opaque connection on which nothing passes is cut in a drain. */
  drainIdleMs: 2_000,
  drainLookMs: 250,
  /** After the listeners closed: by then what they took last is known, and by then over, or they open again. */
  drainArriveMs: 50,
  drainLateMs: 1_000,
  /** After its start a proxy gives back once what starting took, as soon as it uses less of a core than this for so long. */
  compactAfterMs: 5_000,
  compactBusyShareMax: 0.1,
  /** How often a proxy looks for threads beside its own that are to give way. */
  helpersYieldMs: 1_000,
  /** How often a mode that starts as a service looks whether it serves by now, and one that serves tells the manager how it stands. */
  managerReadyLookMs: 50,
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
  managerReloadLookMs: 50,
  /** A service whose event loop stands still for so long is killed and started again. */
  proxyWatchdogMs: 10_000,
  controlWatchdogMs: 30_000,
  /** What the service manager gives a mode that ends before it has asked for more. */
  serviceStopMs: 20_000,
  /** Of bugs that a proxy lives on after. */
  faultsPerMinuteMax: 20,
  timerTickMs: 100,
  /** Deadlines that are nearer than this are kept by ticks of so many milliseconds. */
  timerFineMs: 2_000,
  timerFineTickMs: 10,
  /** A tick that comes so much later: the process itself stood still, and reads what came meanwhile before it blames anybody. */
  timerStallMs: 1_000,
  // Pools and queues, per destination
  connectionsMax: 1024,
  pendingMax: 4096,
  pendingMs: 3_000,
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
  flowNameLengthMax: 16,
  /** Services for which a client keeps its count while it uses them no more. */
  flowClaimsMax: 64,
  /** Of callers, and of clients of each, that may be passed over because they have their share when a place is free. */
  gateLooksMax: 64,
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
  retryCodesMax: 64,
  /** Retries of a service, for each of its requests within the window, beside the floor. */
  retryBudgetRatio: 0.2,
  retryBudgetWindowMs: 10_000,
  retryBudgetWindowMinMs: 1_000,
  retryBudgetWindowMaxMs: 3_600_000,
  retryBudgetFloorPerSecond: 10,
  retryBudgetFloorMax: 10_000,
  /** Longest wait before the first retry; it doubles with each, up to the other one. */
  retryBackoffMs: 25,
  retryBackoffMaxMs: 250,
  /** A server that asks for a longer pause is obeyed by no retry: its answer goes to the caller, who may wait. */
  retryPushbackMaxMs: 5_000,
  /** Answers of a service that must be known before a retry is left out because half of them took longer than its deadline leaves. */
  retryUsualSamplesMin: 20,
  /** A request is sent to a second instance no earlier than this, however quick the answers of its service are. */
  hedgeDelayMinMs: 10,
  /** Answers by which p95 goes, how many there must be, and after how many it is reckoned anew. */
  hedgeSamples: 512,
  hedgeSamplesMin: 200,
  hedgeSampleEvery: 32,
  /** With a larger share of instances out, those that are left have enough to do. */
  hedgeEjectedShareMax: 0.3,
  /** The rest of an answer that is not passed on is awaited so long, for the sake of its connection. */
  retryPassByMs: 25,
  // Balancing (defaults; `src/proxy/balance/`)
  /** An endpoint that is new or has come back grows into its share, from a tenth of it, in such a time. */
  slowStartMs: 30_000,
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
  ringPointsMax: 32_768,
  /** No endpoint has more than so many times the average of what is under way, where keys choose. */
  boundedLoadFactor: 1.25,
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
  rateSliceMs: 5_000,
  /** How much later the one who promised lets go of it than the one who holds it. */
  rateSliceGraceMs: 1_000,
  /** A proxy that was heard within such a time counts among those that a shared rate is divided by. */
  rateSliceKnownMs: 3_600_000,
  /** Part of a shared rate that is kept for proxies that come new, and the part that is dealt out whoever asks for it. */
  rateSliceSpareRatio: 0.05,
  rateSliceEvenRatio: 0.1,
  concurrencyStart: 20,
  concurrencyMin: 4,
  concurrencyMax: 1_000,
  /** Requests that wait while so many are served, and for how long. */
  concurrencyPendingMax: 256,
  concurrencyPendingMs: 1_000,
  /** What requests are thought to take when there is room rises no faster than to twice as much in such a time. */
  concurrencyLongDoubleMs: 120_000,
  /** A queue whose oldest has waited so long serves the newest first. */
  queueFreshMs: 100,
  /** Delay of the event loop that counts as overload, and how long it lasts until one more priority is shed, or one fewer. */
  shedDelayMs: 100,
  shedStepMs: 5_000,
  // Circuit breakers (defaults; `src/proxy/breaker/`)
  /** Hard failures in a row that eject an endpoint. */
  breakerStreakMax: 5,
  breakerWindowMs: 10_000,
  /** Share of answers within the window that must be successes, once there are so many. */
  breakerSuccessMin: 0.8,
  breakerWindowAnswersMin: 5,
  /** What fails everywhere is no fault of one endpoint: its share of failures is so many times that of the average other one. */
  breakerOutlierFactor: 1.5,
  /** With more endpoints their failures are counted anew no more often than that. */
  breakerCountEagerMax: 100,
  breakerCountMs: 100,
  /** Of the first ejection; each one after it is twice as long. */
  breakerPenaltyMs: 1_000,
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
  leafMs: 24 * 3_600_000,
  leafMsMax: 90 * 24 * 3_600_000,
  intermediateMs: 90 * 24 * 3_600_000,
  rootMs: 10 * 365 * 24 * 3_600_000,
  leafBackdateMs: 60_000,
  bundleRefreshMs: 300_000,
  clockSkewWarnMs: 10_000,
  /** Of the words that say why an instance is not ready. */
  instanceProblemLengthMax: 256,
  spiffeIdBytesMax: 2048,
  trustDomainBytesMax: 255,
  joinTokenMinMs: 1_000,
  joinTokenMs: 15 * 60_000,
  joinTokenMaxMs: 60 * 60_000,
  joinTokenKeptMs: 7 * 24 * 3_600_000,
  /** Of a file, or of standard input, that holds one. */
  joinTokenFileBytesMax: 4 * kib,
  joinNonceMs: 60_000,
  joinFailuresPerMinuteMax: 5,
  joinSourcesMax: 10_000,
  certificatesPerNodeMax: 4_096,
  renewAtRatio: 0.5,
  renewJitterRatio: 0.1,
  renewLookMs: 3_600_000,
  renewRetryMs: 100,
  renewRetryMaxMs: 60_000,
  servicesPerNodeMax: 64,
  nodeGraceMs: 30 * 24 * 3_600_000,
  /** So long after its certificate ended an operator's key still renews it. */
  /** Older than this an operator's certificate is renewed where it is used. */
  operatorRenewMs: 3_600_000,
  operatorGraceMs: 30 * 24 * 3_600_000,
  // Control plane
  leaseMs: 12_000,
  leaseMsMin: 1_000,
  leaseMsMax: 60_000,
  leaseRenewMs: 4_000,
  leaseCheckMs: 250,
  /** A check that comes later than this: the registry itself stood still, and no lease is to blame. */
  leaseStallMs: 1_000,
  /** How often `heddle dev` looks at its folder where nothing tells of a change. */
  devLookMs: 1_000,
  publishDebounceMs: 50,
  publishDebounceMaxMs: 1_000,
  /** Of traces that begin at a proxy and that nobody decided about, so many are sampled. */
  traceSampleShare: 0.01,
  /** A request that takes longer is slow: its line is logged, its trace kept. */
  slowExchangeMs: 1_000,
  /** Traces that are kept though they were not sampled, and of which parts may still come. */
  keptTracesMax: 4_096,
  /** Other proxies hear of them so often, of so many each. */
  keptTracesTellMs: 1_000,
  keptTracesToldMax: 500,
  /** Machines in one such message. */
  keptMachinesMax: 256,
  /** What waits at the end may still be sent for so long. */
  exportCloseMs: 2_000,
  // Telemetry that is sent out (OTLP/HTTP; OTEL_BSP_* of OpenTelemetry)
  exportQueueMax: 2_048,
  exportBatchMax: 512,
  exportDelayMs: 5_000,
  /** The same of lines of the access log. */
  exportLogDelayMs: 1_000,
  /** How often metrics are sent, and at the soonest; so many readings wait for a receiver that is away. */
  exportMetricsEveryMs: 60_000,
  exportMetricsEveryMinMs: 1_000,
  exportReadingsMax: 5,
  exportTimeoutMs: 10_000,
  /** The first pause after a receiver said "later". */
  exportRetryMs: 1_000,
  /** The longest pause, also where the receiver wants a longer one. */
  exportRetryAfterMaxMs: 60_000,
  /** What could not be sent for so long is dropped. */
  exportRetryMaxMs: 300_000,
  exportAnswerBytesMax: 64 * kib,
  /** Of questions that operators ask of proxies. */
  asksOpenMax: 64,
  askAnswerMs: 5_000,
  /** Of `heddle drain --wait`: between looks at what is left, and how many in a row must find nothing. */
  drainLeftLookMs: 500,
  drainEmptyLooks: 2,
  drainWaitMs: 600_000,
  questionEveryMinMs: 500,
  questionEveryMaxMs: 60_000,
  answerLinesMax: 1_000,
  /** Of all metrics of a proxy, as the controller hands them on, in characters: at most, and in one line of the answer. */
  expositionCharactersMax: 5 * mib,
  expositionPieceCharacters: 64 * kib,
  answerProblemLengthMax: 2_000,
  /** What a proxy remembers of requests that ended, for `heddle why`: the last ones, in so many bytes, names that come again apart. */
  evidenceRecordsMax: 10_000,
  evidenceBytesMax: 4 * mib,
  evidenceRecordBytesMax: 24 * kib,
  evidenceNamesMax: 2_000,
  evidenceNameLengthMax: 256,
  evidenceTextLengthMax: 512,
  evidencePoliciesMax: 16,
  /** How often a command that goes on looks whether anybody reads what it writes. */
  readerLookMs: 250,
  /** Lines of `heddle tap` that a proxy sends in a second: where nothing else is asked for, and at most. */
  tapLinesPerSecond: 100,
  tapLinesPerSecondMax: 1_000,
  /** Endpoints of a service that an answer to `heddle why` shows, those with trouble first. */
  evidenceEndpointsMax: 50,
  streamHeartbeatMs: 10_000,
  // Dashboard
  /** How often every proxy tells the controller what it counted, and of how many of those the dashboard has a history: an hour. */
  trafficSampleMs: 10_000,
  trafficSamplesMax: 360,
  /** What is shown as now is the sum of so many of the newest. */
  trafficNowSamples: 3,
  /** Of one reading of a proxy; those with the fewest requests are left out. */
  trafficReadingEdgesMax: 1_000,
  /** In the whole mesh: what is beyond has no history, and is counted. */
  trafficEdgesMax: 10_000,
  trafficServicesMax: 2_000,
  /** Of sessions in a browser at a time; the oldest ends for a new one. */
  dashboardSessionsMax: 64,
  dashboardSessionMs: 12 * 3_600_000,
  /** The link of `heddle dashboard` works once, and for so long. */
  dashboardCodeMs: 600_000,
  /** Of questions that the pages ask, body and all. */
  dashboardBodyBytesMax: 64 * kib,
  streamQueueBytesMax: 32 * mib,
  /** A snapshot is one line. */
  streamLineBytesMax: 32 * mib,
  controlDrainMs: 2_000,
  /** Connections that have shown no certificate, to one port: of one address, and in all. */
  strangersPerSourceMax: 256,
  strangersMax: 1_024,
  meshStrangersPerSourceMax: 2_048,
  meshStrangersMax: 4_096,
  /** What all of those have sent of handshakes that are not whole. */
  meshStrangersBytesMax: 8 * mib,
  /** One that came so lately does not give way. */
  strangerGraceMs: 1_000,
  /** Of one that shows none in its handshake either. */
  strangerMs: 30_000,
  credentialFileLookMs: 1_000,
  /** By then the registry knows the roots and shows the credential that it was given last. */
  rotationSettleMs: 3_000,
  /** A rotation in a hurry waits so long for machines; so long where it goes on without them. */
  rotationNowMs: 180_000,
  rotationForceMs: 15_000,
  rotationLookMs: 250,
  controlConnectMs: 3_000,
  /** To reach one of several addresses of a server, while another one is there to be tried. */
  controlTrialMs: 1_000,
  controlCallMs: 15_000,
  /** An apply may have policies compiled, and wait for those of others. */
  controlApplyMs: 180_000,
  /** Of a controller, or of a registry. */
  controlAddressesMax: 16,
  /** Until every machine that follows has said that it knows them. */
  controlPlaceKnownMs: 30_000,
  controlPlaceLookMs: 100,
  reconnectMs: 100,
  reconnectMaxMs: 10_000,
  /** Of a backup, of each part of it, and of the store that it is made of. */
  backupBytesMax: 1024 * mib,
  backupListBytesMax: 64 * kib,
  backupTrials: 5,
  passphraseBytesMax: 4 * kib,
  /** Of a caller without a certificate. */
  controlStrangerBodyBytesMax: 64 * kib,
  controlBodyBytesMax: 8 * mib,
  /** Of bodies of requests to one port that are not answered yet; one caller has as much as it leaves free. */
  controlBodiesBytesMax: 64 * mib,
  /** Of one machine: the proxy that ends, its successor, and one that has not noticed that its stream broke. */
  snapshotStreamsPerNodeMax: 4,
  documentBytesMax: mib,
  documentsMax: 5_000,
  /** So long nobody else is given the virtual address of a service that was deleted. */
  addressRestMs: 7 * 24 * 3_600_000,
  /** Such addresses; of more, those of services that were deleted first are given again. */
  addressesRestingMax: 10_000,
  /** Folders below one another in which documents and policies are looked for, and all that may lie there. */
  documentFoldersMax: 16,
  documentNamesMax: 20_000,
  /** Of services that one local service may be given a port to. */
  upstreamsMax: 256,
  /** Names that apps of one machine call and that no service is known by: the latest ones. */
  unconfirmedNamesMax: 256,
  /** All that the controller is told that a machine uses. */
  usesMax: 22_000,
  /** Between two questions of one machine to the controller. */
  askEveryMs: 50,
  documentAliasesMax: 20,
  documentDepthMax: 32,
  documentBracketsMax: 1_000,
  documentIssuesMax: 200,
  expressionLengthMax: 256,
  expressionDepthMax: 16,
  expressionStepsMax: 1_000,
  expressionStatesMax: 500,
  registryKeyBytesMax: 1024,
  registryValueBytesMax: mib,
  registryHistoryMax: 10_000,
  registryHistoryCharactersMax: 16 * mib,
  /** Of one line of a watch; a single entry may need more. */
  registryLineCharactersMax: mib,
  /** Of one page of a list, as JSON; a single row may need more. */
  pageCharactersMax: mib,
  pageRowsMax: 5_000,
  commitOperationsMax: 10_000,
  labelsMax: 64,
  labelLengthMax: 256,
  /** Names and values of one instance, in UTF-8. */
  labelBytesMax: 4 * kib,
  /** Of all instances on one machine. */
  labelBytesPerNodeMax: 512 * kib,
  /** Of one service on one machine. */
  instancesPerServiceMax: 64,
  instancesPerNodeMax: 192,
  // Policies
  policyCpuMs: 2,
  policyCpuMaxMs: 100,
  policyCheckerIdleMs: 5_000,
  policyBundleBytesMax: mib - 4 * kib,
  /** Places of an author's files that a bundle knows, to say where it failed. */
  policyPlacesMax: 10_000,
  policyInboxMax: 1024,
  /** Sealed processes of one proxy: one for each name of a policy, and one for all that ship. */
  policyProcessesMax: 32,
  policyMemoryBytesMax: 64 * mib,
  policyHostBaseBytesMax: 96 * mib,
  policyHostWatchMs: 20,
  policyTripsMax: 5,
  policyTripWindowMs: 60_000,
  /** A policy that is put aside is tried again after so long; each time that it fails at once, after twice as long. */
  policyQuarantineMs: 5_000,
  policyQuarantineMaxMs: 300_000,
  policyRespawnMs: 10,
  policyRespawnMaxMs: 5_000,
  policyReadyMs: 3_000,
  /** Policies that a new snapshot does not name stay so long, for requests that are under way. */
  policyRetireMs: 5_000,
  policyMessageBytesMax: 256 * kib,
  /** Members and elements of one answer: reading it takes time for each. */
  policyAnswerPartsMax: 2_048,
  /** What policies may write into the head of a request, all together, or into that of an answer. */
  policyHeadBytesMax: 32 * kib,
  policyFrameBytesMax: 4 * mib,
  policyBacklogBytesMax: 4 * mib,
  policyBatchCallsMax: 256,
  /** Processor time of the thread of a policy: whoever takes more without an answer is ended. */
  policyLoadCpuMs: 2_000,
  policyHangCpuMs: 200,
  /** The same for one that may take more for a call: so many times what it may take. */
  policyHangFactor: 10,
  /** Time by the wall, however little of it the policy had a processor. */
  policyLoadMs: 20_000,
  policyHangMs: 5_000,
  policyHangWallFactor: 25,
  policyWatchdogMs: 10,
  /** Of a push: processor time of the sealed compiler, and far above it time, for machines that are busy. */
  policyBundleMs: 10_000,
  policyBundleWallMs: 60_000,
  policyCompilerBytesMax: 768 * mib,
  /** Pushes that wait for the one compiler. */
  policyBundlingsMax: 8,
  /** Scripts that the controller keeps so that the same push is not compiled again. */
  policyKnownBytesMax: 16 * mib,
  policySourcesMax: 64,
  policyFileNameLengthMax: 128,
  /** Of one file. */
  policyImportsMax: 256,
  policyIssuesMax: 50,
  policyIssueLengthMax: 300,
  policyNameLengthMax: 63,
  policyVersionLengthMax: 32,
  /** From nothing to ready, by the wall: many start at once, and the machine may be busy. */
  policyHostStartMs: 30_000,
  /** After so long a silence its processor time is looked at. */
  policyHostSilentMs: 1_000,
  policyHostSilentCpuMs: 5_000,
  policyHostIdleWatchMs: 1_000,
  policyReasonLengthMax: 200,
  policyDescriptionLengthMax: 4 * kib,
  /** What a process may still say of policies that were taken from it. */
  policyLateFramesMax: 10_000,
  policyLateBytesMax: 64 * mib,
  policyFieldLengthMax: 8 * kib,
  // Telemetry
  seriesPerMetricMax: 2_000,
  /** Handles of metrics that are found without building their labels. */
  metricHandlesMax: 2_000,
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
  accessLogFlushMs: 200,
  // Probes
  probeEveryMs: 2_000,
  probeTimeoutMs: 1_000,
  probeUnwellEveryMs: 500,
  /** A call of a name that is not known yet waits so long for the controller. */
  discoverMs: 3_000,
  /** How long it is said again of a name that it is not there, without another question. */
  absenceMs: 500,
  // DNS (RFC 1035, RFC 6891, RFC 7766)
  /** So long an answer may be kept, and that there is none too. */
  dnsTtlMs: 5_000,
  /** Of a datagram to a client that knows nothing of EDNS, and to one that does. */
  dnsUdpPlainBytesMax: 512,
  dnsUdpBytesMax: 1_232,
  dnsTcpBytesMax: 64 * kib - 1,
  /** Of a query over TCP. */
  dnsQueryBytesMax: 4 * kib,
  /** Answers that are kept encoded. */
  dnsAnswersMax: 8_192,
  /** Of the words in an answer that say why it is empty. */
  dnsNoteBytesMax: 200,
  dnsConnectionsMax: 128,
  /** Of a connection on which nothing is asked. */
  dnsIdleMs: 10_000,
  /** Answers that wait for a client of TCP that does not read. */
  dnsUnreadBytesMax: 64 * kib,
  /** A port that could not be had is tried again after so long. */
  dnsRetryMs: 1_000,
  // Virtual addresses
  /** Services that have one on a machine: each costs a listener. */
  virtualListenersMax: 2_000,
  /** How often it is looked whether a port is free, or wanted by an app. */
  virtualLookMs: 2_000,
  /** The same of one that somebody has at just that address, or that is not ours to take. */
  virtualRetryMs: 30_000,
  /** A port that an app had on all addresses is kept free for so long after it was last seen there. */
  heldPortRestMs: 7 * 24 * 3_600_000,
  heldPortSaveMs: 3_600_000,
  // Event loops of one proxy
  /** Looks at the lock of a row of numbers that loops share, which takes nanoseconds, before one goes on without. */
  sharedRowSpinsMax: 10_000,
  /** Who waits for a place that another loop may give back looks again after so long. */
  sharedPlacesLookMs: 10,
  /** The same of the lock of the table of such rows. */
  sharedTableSpinsMax: 10_000_000,
} as const;

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
