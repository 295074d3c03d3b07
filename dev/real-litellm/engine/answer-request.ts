// The HTTP protocol of Prisma's query engine, as prisma-client-py 0.15 uses it: queries, batches and transactions.

import { clientAnswer, isObject, type Json, type JsonObject } from "./answers.ts";
import type { Database } from "./database.ts";
import { type EngineQuery, engineQuery } from "./graphql.ts";
import { withTaggedJson } from "./json-fields.ts";

/** One operation in GraphQL, or several, all or none of which apply when `transaction` is true. */
interface Operation {
  readonly query?: string;
  readonly batch?: readonly { readonly query: string }[];
  readonly transaction?: boolean;
}

const TRANSACTION = /^\/transaction\/([^/]+)\/(commit|rollback)$/;

/** The code of an error that the engine does not know; the adapter's registry holds it under a number. */
const UNKNOWN_ERROR = "P2036";

export interface EngineRequest {
  readonly method: string;
  readonly path: string;
  readonly body: string;
  readonly transactionId: string | undefined;
  /** Unique within this process. */
  readonly id: string;
}

/** Null: the engine has no such path. */
export async function answerRequest(request: EngineRequest, database: Database): Promise<Json> {
  const { method, path, body } = request;
  if (method === "GET" && path === "/status") return { status: "ok" };
  if (method === "GET" && path.startsWith("/metrics")) return { counters: [], gauges: [], histograms: [] };
  if (method !== "POST") return null;
  if (path === "/") return runOperation(JSON.parse(body) as Operation, request, database);
  if (path === "/transaction/start") return startTransaction(body, request, database);
  const [, transactionId, verb] = TRANSACTION.exec(path) ?? [];
  if (transactionId === undefined) return null;
  const { engine } = database;
  const ended =
    verb === "commit"
      ? await engine.commitTransaction(transactionId, "{}", request.id)
      : await engine.rollbackTransaction(transactionId, "{}", request.id);
  return errorListed(JSON.parse(ended || "{}") as JsonObject);
}

async function runOperation(operation: Operation, request: EngineRequest, database: Database): Promise<JsonObject> {
  const translated = operation.batch
    ? {
        batch: operation.batch.map(({ query }) => translate(query, database)),
        ...(operation.transaction === true && { transaction: { isolationLevel: null } }),
      }
    : translate(operation.query ?? "", database);
  const sent = JSON.stringify(translated);
  const text = await database.engine.query(sent, "{}", request.transactionId, request.id);
  const answer = JSON.parse(text) as JsonObject;
  const errors = errorsIn(answer);
  return errors === null ? clientAnswer(answer) : { errors: errors.map((error) => explained(error, database)) };
}

function translate(text: string, { models }: Database): EngineQuery {
  const { query, ...target } = engineQuery(text);
  return { ...target, query: { ...query, arguments: withTaggedJson(query.arguments, target.modelName, models) } };
}

/** The errors of an answer, or of the first failed operation of a batch. */
function errorsIn({ errors, batchResult }: JsonObject): Json[] | null {
  if (Array.isArray(errors)) return errors;
  if (!Array.isArray(batchResult)) return null;
  for (const one of batchResult) if (isObject(one) && Array.isArray(one["errors"])) return one["errors"];
  return null;
}

/** Puts the message of Postgres in place of a number in the adapter's registry. */
function explained(error: Json, { errors }: Database): Json {
  if (!isObject(error) || !isObject(error["user_facing_error"])) return error;
  const facing = error["user_facing_error"];
  const meta = facing["meta"];
  if (facing["error_code"] !== UNKNOWN_ERROR || !isObject(meta)) return error;
  const cause = errors.consumeError(Number(meta["id"]))?.error;
  const message = cause instanceof Error ? cause.message : String(cause);
  return { ...error, error: message, user_facing_error: { ...facing, message } };
}

async function startTransaction(body: string, request: EngineRequest, database: Database): Promise<JsonObject> {
  const { timeout, max_wait } = JSON.parse(body) as { timeout: number; max_wait: number };
  const options = JSON.stringify({ timeout, max_wait });
  return errorListed(JSON.parse(await database.engine.startTransaction(options, "{}", request.id)) as JsonObject);
}

/** For transactions the engine answers a bare error; prisma-client-py expects a list, as for queries. */
function errorListed(answer: JsonObject): JsonObject {
  if (answer["error_code"] === undefined) return answer;
  return { errors: [{ error: answer["message"] ?? null, user_facing_error: answer }] };
}
