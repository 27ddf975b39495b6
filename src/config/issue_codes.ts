/**
 * What can be wrong with documents, by codes that never change their meaning: `heddle lint` prints them, `heddle explain` tells
 * what each is and what to do. Errors keep a set of documents from taking effect, warnings do not.
 */

export interface IssueMeaning {
  readonly severity: "error" | "warning";
  /** One sentence without a full stop. */
  readonly words: string;
  /** What to do about it, as an order. */
  readonly cure: string;
}

const meanings = {
  HED0100: {
    severity: "error",
    words:
      "What is written does not fit: a field that is not known or missing, or a value that it cannot have",
    cure: "Write what the line says was expected; heddle explain KIND shows every field with an example",
  },
  HED0101: {
    severity: "error",
    words: "The text is no YAML that can be read, or is larger than documents may be",
    cure: "Mend the text at that place; values with : or # in them stand in quotes",
  },
  HED0102: {
    severity: "error",
    words: "A service, subset or policy is named that no document declares",
    cure: "Declare it, or name one that stands",
  },
  HED0103: {
    severity: "error",
    words: "Two documents or rules have the name of which there may be one",
    cure: "Give one of them another name, or delete it",
  },
  HED0104: {
    severity: "error",
    words: "The weights of all backends are 0, so that nobody would answer",
    cure: "Give at least one backend a weight above 0",
  },
  HED0105: {
    severity: "error",
    words: "The source of a policy, or what a document hands it as options, is refused",
    cure: "Mend the source at that place, or the options as the policy's own schema wants them",
  },
  HED0110: {
    severity: "warning",
    words: "A rule never gets a request: others that come first match all that it does",
    cure: "Delete the rule, or ask more of it than of the one that comes first",
  },
  HED0111: {
    severity: "warning",
    words: "One match of a rule never gets a request, and its other matches do",
    cure: "Delete the match, or ask more of it",
  },
  HED0112: {
    severity: "warning",
    words: "Routes of two documents match the same requests, and only their names decide which gets them",
    cure: "Say which comes first by order, or put both rules into one document",
  },
  HED0113: {
    severity: "warning",
    words:
      "A TCPRoute, or a hostname of a TLSRoute, never gets a connection: another route is for the same ones and comes first",
    cure: "Delete one of them, or the hostname from it",
  },
  HED0114: {
    severity: "warning",
    words: "Two rules have sessions of one name, so that each ends those of the other",
    cure: "Give one of them another sessionName",
  },
  HED0115: {
    severity: "warning",
    words: "A path never matches, because the service does not take such paths",
    cure: "Write the path as the service reads it, or change escapedSlashes or pathParameters of the Service",
  },
  HED0116: {
    severity: "warning",
    words: "A rule denies by path, and an app may take another spelling for the same path",
    cure: "Allow what is wanted instead",
  },
  HED0117: {
    severity: "warning",
    words: "A route gets nothing from one of its parents, which does not take it",
    cure: "Name a port, listener or host that the parent has, or let the listener take routes of its namespace",
  },
  HED0118: {
    severity: "warning",
    words: "A route leads to a service of another namespace that no ReferenceGrant there lets it refer to",
    cure: "Write a ReferenceGrant in the namespace of the service; until then its share is answered 500",
  },
  HED0120: {
    severity: "warning",
    words: "A subset has no instance: requests that are sent there are answered 503",
    cure: "Start an instance with its labels, or change the labels of the subset",
  },
  HED0130: {
    severity: "warning",
    words: "A rule asks for retries and matches only requests that are never sent again",
    cure: "Say idempotent: true if the app tells repeats; else leave retry out",
  },
  HED0131: {
    severity: "warning",
    words: "Requests of every service with methods such as POST may be sent twice",
    cure: "Say idempotent in the Traffic or the rule of those services whose apps tell repeats",
  },
  HED0140: {
    severity: "warning",
    words: "A time limit can never come into force, because a shorter one around it ends the request before",
    cure: "Make the inner one shorter than the one around it",
  },
  HED0141: {
    severity: "warning",
    words:
      "Retries are asked for, and the time of the whole request is used up before the last of them can begin",
    cure: "Give the request more time, one attempt less, or ask for fewer attempts",
  },
  HED0150: {
    severity: "warning",
    words: "A redirect leads to what the same rule matches: clients come back without end",
    cure: "Redirect to another host or path, or match so that the new place is left out",
  },
  HED0151: {
    severity: "warning",
    words: "A redirect leads to what the same rule matches, and the path grows with each round",
    cure: "Match the exact path (= /x), or redirect to a place outside of the prefix",
  },
  HED0152: {
    severity: "warning",
    words: "Redirects of several rules lead to one another in a circle",
    cure: "Let one of them lead to a service, or elsewhere",
  },
  HED0153: {
    severity: "warning",
    words: "A rule makes faults on purpose, and the Mesh document does not allow any: none is made",
    cure: "Say faults: allowed in the Mesh document while they are wanted, or take fault out of the rule",
  },
  HED0160: {
    severity: "warning",
    words: "A field of another mesh's or the Gateway API's documents says nothing here",
    cure: "Nothing need be done; take it out if the document is for heddle alone",
  },
  HED0161: {
    severity: "warning",
    words: "A document is left out: it is for Kubernetes alone, or stays on its machine",
    cure: "Keep such documents in another folder, if the line is unwanted",
  },
  HED0162: {
    severity: "warning",
    words: "A policy is not among the files any more, and documents use it",
    cure: "Hand its file in too, or take it out of the documents; heddle policy delete then removes it",
  },
  HED0163: {
    severity: "warning",
    words: "A port with the identity of a service is open beyond loopback",
    cure: "Bind a loopback address",
  },
} as const satisfies Readonly<Record<string, IssueMeaning>>;

export type IssueCode = keyof typeof meanings;

export const issueCodes: Readonly<Record<IssueCode, IssueMeaning>> = meanings;

/** null: an issue of another version of heddle may have a code that is not known here. */
export function issueMeaning(code: string | undefined): IssueMeaning | null {
  return code !== undefined && Object.hasOwn(issueCodes, code) ? issueCodes[code as IssueCode] : null;
}
