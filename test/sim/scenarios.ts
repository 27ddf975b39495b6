/** What goes wrong in a simulated fleet, when it ends, and what is looked at. `M…`: recipes of metastable failures. */
import type { Server } from "./server.ts";
import type { World } from "./world.ts";

export interface Step {
  readonly atMs: number;
  readonly act: (world: World) => void;
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** Part of the capacity of the fleet that is asked for. */
  readonly load: number;
  /** Servers that stand in three zones, or in one. */
  readonly servers: number;
  readonly zones: 1 | 3;
  readonly tryTimeoutMs: number | null;
  readonly fromMs: number;
  readonly toMs: number;
  readonly steps: readonly Step[];
  /** Servers whose share of attempts is told. */
  readonly watched: readonly number[];
}

const fromMs = 20_000;

function on(which: readonly number[], act: (server: Server) => void): Step["act"] {
  return ({ servers }) => which.forEach((at) => act(servers[at] as Server));
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, at) => from + at);
}

interface Fault extends Partial<Omit<Scenario, "name" | "title" | "steps">> {
  /** How long it lasts. */
  readonly forMs: number;
  readonly begin: Step["act"];
  readonly end: Step["act"];
}

function scenario(name: string, title: string, { forMs, begin, end, ...rest }: Fault): Scenario {
  const toMs = fromMs + forMs;
  return {
    name,
    title,
    load: 0.75,
    servers: 10,
    zones: 1,
    tryTimeoutMs: null,
    fromMs,
    toMs,
    watched: [],
    steps: [
      { atMs: fromMs, act: begin },
      { atMs: toMs, act: end },
    ],
    ...rest,
  };
}

const flaps: readonly Step[] = range(0, 20).map((turn) => ({
  atMs: fromMs + turn * 2_000,
  act: on([0], (server) => (turn % 2 === 0 ? server.leave() : server.comeBack())),
}));

const everyServer = range(0, 10);
const half = range(0, 5);

export const scenarios: readonly Scenario[] = [
  scenario("calm", "Nothing is wrong", { forMs: 20_000, begin: () => {}, end: () => {} }),
  scenario("slow", "M6, slow host: one of ten takes ten times as long, for 30 s", {
    forMs: 30_000,
    watched: [0],
    begin: on([0], (server) => void (server.slowness = 10)),
    end: on([0], (server) => void (server.slowness = 1)),
  }),
  {
    ...scenario("flapping", "M10, flapping: one of ten goes and comes each 2 s, for 40 s", {
      forMs: 40_000,
      watched: [0],
      begin: () => {},
      end: () => {},
    }),
    steps: flaps,
  },
  scenario("half", "Half the fleet gone: five of ten refuse connections for 20 s, at 40 % load", {
    forMs: 20_000,
    load: 0.4,
    begin: on(half, (server) => server.leave()),
    end: on(half, (server) => server.comeBack()),
  }),
  {
    ...scenario("cold", "Cold start: three of ten restart within 2 s and are ten times as slow at first", {
      forMs: 12_000,
      load: 0.6,
      begin: on(range(0, 3), (server) => server.leave()),
      end: () => {},
    }),
    steps: [
      { atMs: fromMs, act: on(range(0, 3), (server) => server.leave()) },
      { atMs: fromMs + 2_000, act: on(range(0, 3), (server) => server.comeBack(400)) },
    ],
  },
  scenario("pause", "Correlated pause: all stand still for 2 s", {
    forMs: 2_000,
    begin: on(everyServer, (server) => server.stand()),
    end: on(everyServer, (server) => server.goOn()),
  }),
  scenario("errors", "Fast errors: one of ten answers 503 at once, for 30 s", {
    forMs: 30_000,
    watched: [0],
    begin: on([0], (server) => void (server.answersAtOnce = "error")),
    end: on([0], (server) => void (server.answersAtOnce = null)),
  }),
  scenario(
    "zone",
    "A zone lost: four of twelve servers, in one of three zones, stand still for 20 s, at 50 % load",
    {
      forMs: 20_000,
      load: 0.5,
      servers: 12,
      zones: 3,
      watched: [0, 3, 6, 9],
      begin: on([0, 3, 6, 9], (server) => server.stand()),
      end: on([0, 3, 6, 9], (server) => server.goOn()),
    },
  ),
  scenario("M1", "M1, capacity drop: five of ten stand still for 10 s", {
    forMs: 10_000,
    begin: on(half, (server) => server.stand()),
    end: on(half, (server) => server.goOn()),
  }),
  scenario("M2", "M2, load spike: twice the requests for 10 s", {
    forMs: 10_000,
    begin: (world) => void (world.spike = 2),
    end: (world) => void (world.spike = 1),
  }),
  scenario("M5", "M5, ejection spiral: two of ten answer 503 at once, for 30 s", {
    forMs: 30_000,
    watched: [0, 1],
    begin: on([0, 1], (server) => void (server.answersAtOnce = "error")),
    end: on([0, 1], (server) => void (server.answersAtOnce = null)),
  }),
  scenario(
    "M7",
    "M7, retries on timeouts: each try has 60 ms, and all take twice as long for 10 s, at 60 % load",
    {
      forMs: 10_000,
      load: 0.6,
      tryTimeoutMs: 60,
      begin: on(everyServer, (server) => void (server.slowness = 2)),
      end: on(everyServer, (server) => void (server.slowness = 1)),
    },
  ),
  scenario("M8", "M8, 429 storm: one of ten answers 429 at once, for 30 s", {
    forMs: 30_000,
    watched: [0],
    begin: on([0], (server) => void (server.answersAtOnce = "busy")),
    end: on([0], (server) => void (server.answersAtOnce = null)),
  }),
];
