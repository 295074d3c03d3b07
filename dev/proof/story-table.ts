// Parses the story's table in docs/testing.md: one row per claim, with its proofs. Judges nothing.

/** The proof of a claim. `title`: for a test, its title or that of its `describe`; otherwise text in the file. */
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

/** @throws Error naming the line that is not a valid row. */
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
