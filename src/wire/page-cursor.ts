// Where a page of a list ended, as callers carry it: opaque to them, and stable while new rows come in at the other end.
// Owns its form, so that the door refuses a broken one before Postgres sees it.

import type { Instant } from "../budget/instant.ts";
import { isUuid } from "./uuid.ts";

/** The last row of a page: lists are ordered by moment, and by id among rows of one moment. */
export interface PagePosition {
  readonly at: Instant;
  /** A uuid. */
  readonly id: string;
}

const CURSOR = /^([0-9a-z]{1,9})\.(.{36})$/;

export function cursorOf({ at, id }: PagePosition): string {
  return `${at.toString(36)}.${id}`;
}

/** Null when it is no cursor. Nine digits of base 36 reach the year 5188, and no moment that a date cannot be. */
export function positionOf(cursor: string): PagePosition | null {
  const [, at, id] = CURSOR.exec(cursor) ?? [];
  return at !== undefined && id !== undefined && isUuid(id) ? { at: Number.parseInt(at, 36), id } : null;
}
