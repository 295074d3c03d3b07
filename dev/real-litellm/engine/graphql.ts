// Translates the GraphQL of prisma-client-py into the JSON that Prisma's WebAssembly engine reads.
// Reads only what prisma-client-py writes: one operation called `result`, with arguments and a selection of fields.

import type { Json, JsonObject } from "./answers.ts";
import { type Token, type TokenKind, tokensOf } from "./tokens.ts";

export interface EngineQuery {
  /** Absent for raw SQL. */
  readonly modelName?: string;
  readonly action: string;
  readonly query: { readonly arguments: JsonObject; readonly selection: JsonObject };
}

/** The verb, the model and `OrThrow`, as in `findUniqueLiteLLM_VerificationTokenOrThrow`. */
const ACTION =
  /^(findUnique|findFirst|findMany|createOne|createMany|updateOne|updateMany|deleteOne|deleteMany|upsertOne|aggregate|groupBy)(\w+?)(OrThrow)?$/;
const RAW_ACTIONS = ["queryRaw", "executeRaw"];

const LITERALS: JsonObject = { true: true, false: false, null: null };

/**
 * `query { result: findManyKey(take: 1) { token } }` becomes
 * `{ modelName: "Key", action: "findMany", query: { arguments: { take: 1 }, selection: { token: true } } }`.
 * @throws SyntaxError for anything that prisma-client-py does not write.
 */
export function engineQuery(text: string): EngineQuery {
  const reader = new Reader(tokensOf(text));
  const operation = reader.take("name");
  if (operation !== "query" && operation !== "mutation") throw new SyntaxError(`${operation} is no operation`);
  reader.take("{");
  reader.take("name");
  reader.take(":");
  const target = targetOf(reader.take("name"));
  const { arguments: args = {}, selection = {} } = reader.field();
  return { ...target, query: { arguments: args, selection } };
}

function targetOf(name: string): { modelName?: string; action: string } {
  if (RAW_ACTIONS.includes(name)) return { action: name };
  const [, verb, modelName, orThrow = ""] = ACTION.exec(name) ?? [];
  if (verb === undefined || modelName === undefined) throw new SyntaxError(`${name} is no action of Prisma`);
  return { modelName, action: verb + orThrow };
}

interface Field {
  arguments?: JsonObject;
  selection?: JsonObject;
}

/** Reads tokens from left to right; each method consumes what it names. */
class Reader {
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  take(kind: TokenKind): string {
    const token = this.#tokens[this.#next];
    if (token?.kind !== kind) throw new SyntaxError(`expected ${kind}, found ${token?.text ?? "the end"}`);
    this.#next += 1;
    return token.text;
  }

  /** What follows the name of a field. */
  field(): Field {
    const field: Field = {};
    if (this.#skips("(")) field.arguments = this.#entries(")");
    if (this.#skips("{")) field.selection = this.#selection();
    return field;
  }

  #kind(): TokenKind | undefined {
    return this.#tokens[this.#next]?.kind;
  }

  #skips(kind: TokenKind): boolean {
    if (this.#kind() !== kind) return false;
    this.#next += 1;
    return true;
  }

  #selection(): JsonObject {
    const selection: JsonObject = {};
    while (!this.#skips("}")) {
      const name = this.take("name");
      const field = this.field();
      selection[name] = Object.keys(field).length === 0 ? true : { ...field };
    }
    return selection;
  }

  #entries(end: TokenKind): JsonObject {
    const entries: JsonObject = {};
    while (!this.#skips(end)) {
      const name = this.#kind() === "string" ? this.#string() : this.take("name");
      this.take(":");
      entries[name] = this.#value();
    }
    return entries;
  }

  #value(): Json {
    if (this.#skips("{")) return this.#entries("}");
    if (this.#skips("[")) {
      const list: Json[] = [];
      while (!this.#skips("]")) list.push(this.#value());
      return list;
    }
    if (this.#kind() === "string") return this.#string();
    if (this.#kind() === "number") return numberFrom(this.take("number"));
    const word = this.take("name");
    return LITERALS[word] === undefined ? word : LITERALS[word];
  }

  #string(): string {
    return JSON.parse(this.take("string")) as string;
  }
}

/** A JSON number would round a whole number beyond 2^53, so it is tagged and stays text. */
function numberFrom(text: string): Json {
  const value = Number(text);
  return /^-?\d+$/.test(text) && !Number.isSafeInteger(value) ? { $type: "BigInt", value: text } : value;
}
