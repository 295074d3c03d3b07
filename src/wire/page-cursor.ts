// The cursor of a list: opaque to callers, and stable while new rows are added at the top.
// Owns its format, so that a route refuses a malformed cursor before it reaches Postgres.

import type { Instant } from "../budget/instant.ts";
import { isUuid } from "./uuid.ts";

/** The last row of a page. Lists are ordered by instant, then by id. */
export interface PagePosition {
  readonly at: Instant;
  /** A UUID. */
  readonly id: string;
}

const CURSOR = /^([0-9a-z]{1,9})\.(.{36})$/;

export function cursorOf({ at, id }: PagePosition): string {
  return `${at.toString(36)}.${id}`;
}

/** Null when malformed. Nine digits in base 36 reach the year 5188, so every cursor is a valid date. */
export function positionOf(cursor: string): PagePosition | null {
  const [, at, id] = CURSOR.exec(cursor) ?? [];
  return at !== undefined && id !== undefined && isUuid(id) ? { at: Number.parseInt(at, 36), id } : null;
}
