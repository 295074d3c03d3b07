// Replaces values that differ from run to run (ids, keys, hashes, instants, ages, ports) with realistic constants.
// Leaves the rest of an answer as the product sent it.

import { createHash } from "node:crypto";
import type { Variables } from "./steps.ts";

/** The date of the examples, in the middle of a period of 30 days. */
const NOW = "2026-11-15T12:00:00.000Z";
const RESETS_AT = "2026-12-01T00:00:00.000Z";

/** 90 days after NOW. */
const PURGE_AT = "2027-02-13T12:00:00.000Z";

const INSTANTS: Readonly<Record<string, string>> = {
  period_started_at: "2026-11-01T00:00:00.000Z",
  resets_at: RESETS_AT,
  purge_at: PURGE_AT,
  expires_at: "2026-11-22T12:00:00.000Z",
};

const NUMBERS: Readonly<Record<string, number>> = { age_seconds: 2, latency_ms: 12, created: 1_794_744_000 };

/** The seconds from NOW to RESETS_AT. */
const RETRY_AFTER_SECONDS = (Date.parse(RESETS_AT) - Date.parse(NOW)) / 1_000;

const SIGNING_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw5Zr1mT0qWcE=";

const INSTANT = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)/g;
const UUID = /(?<![0-9a-f])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![0-9a-f])/g;
const OWN_KEY = /\bsk-[\w-]{43}\b/g;
/** A cursor consists of an instant and an id. */
const CURSOR = /("next_cursor": ")[0-9a-z]+\./g;
const HEX_32 = /\b[0-9a-f]{32}\b/g;

/** The default ports of the local stack. */
const PORTS = { bursar: 8787, litellm: 4000, inbox: 8025 } as const;

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

/** `answers`: the text of all answers, which must contain every virtual key, so that hashes of keys can be replaced. */
export function stable(variables: Variables, answers: string) {
  const known = [...addressesIn(variables), ...keysIn(answers)];
  const ids = new Map<string, string>();
  const idFor = (id: string) => {
    const hex = sha256(`example ${ids.size + 1}`);
    const made = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
    const shown = ids.get(id) ?? (id.includes("-") ? made : hex.slice(0, 32));
    ids.set(id, shown);
    return shown;
  };

  function text(value: string): string {
    let shown = value;
    for (const [real, standIn] of known) shown = shown.replaceAll(real, standIn);
    return shown
      .replace(UUID, idFor)
      .replace(HEX_32, idFor)
      .replace(/whsec_[\w+/=]+/g, SIGNING_SECRET)
      .replace(CURSOR, "$1mwhk2ps0.")
      .replace(/\b(budget to reset at )[\dT:.Z-]+[\dZ]/g, `$1${RESETS_AT}`)
      .replace(/\b(restores it until )[\dT:.Z-]+[\dZ]/g, `$1${PURGE_AT}`)
      .replace(INSTANT, (instant) => (Object.values(INSTANTS).includes(instant) ? instant : NOW))
      .replace(/^(Age: )\d+/gm, "$12")
      .replace(/max-age=[1-9]\d*/g, "max-age=15")
      .replace(/^(Retry-After: )\d{3,}$/gm, `$1${RETRY_AFTER_SECONDS}`)
      .replace(/^(webhook-timestamp: )\d+/gm, `$1${Date.parse(NOW) / 1_000}`)
      .replace(/^(webhook-signature: v1,).*/gm, "$1Xh1Q3v0bUe7c2m9TqkZr5sYpLwNfJdA8gKoB4iVtRyE=");
  }

  function body(value: string): string {
    const json = parsed(value);
    return text(json === undefined ? value.trimEnd() : printed(withFields(json)));
  }
  return { text, body };
}

/** Maps each actual host and port to the default one. Without the scheme, so that it also matches a target's hint. */
function addressesIn(variables: Variables): [string, string][] {
  return Object.entries(PORTS).map(([name, port]) => [new URL(variables[name] ?? "").host, `127.0.0.1:${port}`]);
}

/** Maps each virtual key that Bursar has generated, and its hash, to a constant. */
function keysIn(answers: string): [string, string][] {
  return [...new Set(answers.match(OWN_KEY))].flatMap((key, index): [string, string][] => {
    const shown = `sk-${createHash("sha256").update(`key ${index}`).digest("base64url")}`;
    return [
      [key, shown],
      [sha256(key), sha256(shown)],
    ];
  });
}

/** Replaces the values of time-dependent fields with those of the examples' date. */
function withFields(value: unknown, name = ""): unknown {
  if (Array.isArray(value)) return value.map((each, index) => withFields(each, name === "data" ? `${index}` : name));
  if (value === null || typeof value !== "object") {
    if (typeof value === "string" && name in INSTANTS && !Number.isNaN(Date.parse(value))) return INSTANTS[name];
    if (typeof value === "number" && name in NUMBERS) return NUMBERS[name];
    return value;
  }
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withFields(each, key)]));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const MAX_COLUMNS = 100;

/** Like `JSON.stringify` with an indent, but a value that fits on one line stays on one line. */
function printed(value: unknown, indent = ""): string {
  const flat = JSON.stringify(value, null, 1)
    .replace(/\[\n\s*|\n\s*\]/g, (edge) => edge.trim())
    .replace(/\n\s*/g, " ");
  if (value === null || typeof value !== "object" || (indent !== "" && flat.length + indent.length <= MAX_COLUMNS)) {
    return flat;
  }
  const inner = `${indent}  `;
  const isArray = Array.isArray(value);
  const parts = isArray
    ? value.map((each) => inner + printed(each, inner))
    : Object.entries(value).map(([key, each]) => `${inner}${JSON.stringify(key)}: ${printed(each, inner)}`);
  const [open, close] = isArray ? ["[", "]"] : ["{", "}"];
  return parts.length === 0 ? open + close : `${open}\n${parts.join(",\n")}\n${indent}${close}`;
}
