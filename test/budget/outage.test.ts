// What counts as an outage of LiteLLM: bad service, not unbroken silence.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { afterPing, isSameNote, NO_OUTAGE, newerNote, type OutageNote } from "../../src/budget/failure.ts";
import { MINUTE, NOW } from "./builders.ts";

/** One ping a minute: `x` fails, `.` succeeds. */
function noteAfter(pings: string, from: OutageNote = NO_OUTAGE, since = NOW): OutageNote {
  return [...pings].reduce(
    (note, ping, minute) => afterPing(note, { at: since + minute * MINUTE, hasAnswered: ping === "." }),
    from,
  );
}
const startOf = (pings: string) => noteAfter(pings).startedAt;
const minute = (minutes: number) => NOW + minutes * MINUTE;

describe("an outage", () => {
  it("begins with the first of two failed pings in a row", () => {
    expect([startOf("x"), startOf(".x.x.x"), startOf("..xx"), startOf("xx")]).toEqual([null, null, minute(2), NOW]);
  });

  it("goes on through single good pings, so that 97 percent of failures for six hours are six hours of outage", () => {
    const oneGoodInThirty = `${"x".repeat(29)}.`.repeat(12);
    expect(startOf(oneGoodInThirty)).toBe(NOW);
  });

  it("goes on while most of the last ten pings fail", () => {
    expect(startOf("xxxxxx...")).toBe(NOW);
    expect(startOf("xx.xx.xx..")).toBe(NOW);
  });

  it("ends with the third good ping in a row once no more than half of the last ten fail", () => {
    expect([startOf("xx.."), startOf("xx...")]).toEqual([NOW, null]);
    expect([startOf("xxxxxxxxxx...."), startOf("xxxxxxxxxx.....")]).toEqual([NOW, null]);
  });

  it("begins anew with its first failure when most of the last ten pings fail again", () => {
    expect([startOf("xxxxx..."), startOf("xxxxx...x")]).toEqual([null, NOW]);
  });

  it("noted by the release before goes on until three pings in a row succeed", () => {
    const noted = { startedAt: NOW - 30 * MINUTE, pings: [] };
    expect([noteAfter("..", noted).startedAt, noteAfter("x..", noted).startedAt]).toEqual([
      noted.startedAt,
      noted.startedAt,
    ]);
    expect(noteAfter("...", noted).startedAt).toBeNull();
  });

  it("never begins while no two pings in a row fail", () => {
    const sparse = fc.array(fc.constantFrom(".", "x."), { maxLength: 60 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(sparse, (pings) => {
        expect(startOf(pings)).toBeNull();
      }),
    );
  });

  it("ends after ten good pings, whatever was before", () => {
    const any = fc.array(fc.constantFrom(".", "x"), { maxLength: 60 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(any, (pings) => {
        expect(startOf(`${pings}..........`)).toBeNull();
      }),
    );
  });
});

describe("the note", () => {
  it("does not change while LiteLLM answers", () => {
    expect(noteAfter("....")).toBe(NO_OUTAGE);
    const over = noteAfter(`xx${".".repeat(10)}`);
    expect(noteAfter("...", over, minute(12))).toBe(over);
  });

  it("keeps the last ten pings", () => {
    expect(noteAfter("x".repeat(30)).pings.map(({ at }) => at)).toEqual(
      Array.from({ length: 10 }, (_, index) => minute(20 + index)),
    );
  });

  it("wins over a copy with an earlier last ping", () => {
    const [old, young] = [noteAfter("xx"), noteAfter("xxx...")];
    expect([newerNote(old, young), newerNote(young, old), newerNote(NO_OUTAGE, old)]).toEqual([young, young, old]);
    const withoutPings = { startedAt: NOW - MINUTE, pings: [] };
    const over = noteAfter(`xx${".".repeat(30)}`);
    expect([newerNote(over, young), newerNote(old, over)]).toEqual([over, over]);
    expect([newerNote(withoutPings, NO_OUTAGE), newerNote(withoutPings, old)]).toEqual([withoutPings, old]);
  });

  it("equals a copy with the same start and last ping", () => {
    expect(isSameNote(NO_OUTAGE, { startedAt: null, pings: [] })).toBe(true);
    expect(isSameNote(noteAfter("x"), noteAfter("x"))).toBe(true);
    expect(isSameNote(noteAfter("x"), NO_OUTAGE)).toBe(false);
    expect(isSameNote(noteAfter("x"), noteAfter("x."))).toBe(false);
    expect(isSameNote(noteAfter("xx"), { ...noteAfter("xx"), startedAt: null })).toBe(false);
  });
});
