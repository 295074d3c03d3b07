// The story's table as docs/testing.md keeps it: a row per claim, with what shows it. Reads text only; judges nothing.

/** Where a claim is shown. For a test `title` is its title, or that of a block of tests; elsewhere it is text of the file. */
export interface Proof {
  readonly file: string;
  readonly title: string;
}

export interface StoryRow {
  readonly id: string;
  readonly mustHold: string;
  /** Null: not claimed yet. */
  readonly proofs: readonly Proof[] | null;
}

const NOT_YET = "not yet";

const ROW = /^\| ([A-Z]\d+) \| (.*?) \| (.*?) \|$/;
const PROOF = /^`([^`]+)` "(.+)"$/;

/** @throws Error naming the line that is no row of the table. */
export function rowsOf(markdown: string): StoryRow[] {
  return markdown
    .split("\n")
    .filter((line) => /^\| [A-Z]\d+ \|/.test(line))
    .map((line) => {
      const [, id, mustHold, shownBy] = ROW.exec(line) ?? [];
      if (id === undefined || mustHold === undefined || shownBy === undefined) {
        throw new Error(`not a row of three cells: ${line}`);
      }
      return { id, mustHold, proofs: shownBy === NOT_YET ? null : proofsOf(id, shownBy) };
    });
}

function proofsOf(id: string, shownBy: string): Proof[] {
  const parts = shownBy.split("<br>").map((part) => part.trim());
  return parts
    .filter((part) => part !== "")
    .map((part) => {
      const [, file, title] = PROOF.exec(part) ?? [];
      if (file === undefined || title === undefined) throw new Error(`${id}: neither "not yet" nor a proof: ${part}`);
      return { file, title: title.replaceAll("\\|", "|") };
    });
}
