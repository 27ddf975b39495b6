/** How a sealed process of policies stands, for operators. */
export interface PolicyProcessStatus {
  readonly name: string;
  readonly running: boolean;
  /** null until it said so. */
  readonly sealed: boolean | null;
  /** What is missing of the seal; null when nothing. */
  readonly why: string | null;
  /** 0 while there is none. */
  readonly pid: number;
  readonly starts: number;
  /** Versions in it. */
  readonly policies: number;
}
