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

/** The last line of a page of the audit, whose ids are numbers. */
export interface LinePosition {
  readonly at: Instant;
  readonly id: number;
}

/** Fifteen digits are exact as a number, and enough for every line. */
const LINE_CURSOR = /^([0-9a-z]{1,9})\.([1-9]\d{0,14})$/;

export function lineCursorOf({ at, id }: LinePosition): string {
  return `${at.toString(36)}.${id}`;
}

/** Null when malformed. */
export function linePositionOf(cursor: string): LinePosition | null {
  const [, at, id] = LINE_CURSOR.exec(cursor) ?? [];
  return at !== undefined && id !== undefined ? { at: Number.parseInt(at, 36), id: Number(id) } : null;
}
