// Splits the GraphQL that prisma-client-py writes into tokens. Commas separate nothing in GraphQL: they are skipped.

export type TokenKind = "name" | "string" | "number" | "{" | "}" | "(" | ")" | "[" | "]" | ":";

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
}

const TOKEN =
  /[\s,]*(?:(?<name>[A-Za-z_]\w*)|(?<string>"(?:[^"\\]|\\.)*")|(?<number>-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)|(?<mark>[{}()[\]:]))/gy;

const SHOWN_OF_AN_ERROR = 40;

/** @throws SyntaxError that shows the text which is no token. */
export function tokensOf(text: string): Token[] {
  const source = text.trimEnd();
  const pattern = new RegExp(TOKEN);
  const tokens: Token[] = [];
  while (pattern.lastIndex < source.length) {
    const at = pattern.lastIndex;
    const groups = pattern.exec(source)?.groups;
    if (groups === undefined) throw new SyntaxError(`no GraphQL at ${at}: ${source.slice(at, at + SHOWN_OF_AN_ERROR)}`);
    tokens.push(tokenIn(groups));
  }
  return tokens;
}

function tokenIn({ name, string, number, mark }: Record<string, string | undefined>): Token {
  if (name !== undefined) return { kind: "name", text: name };
  if (string !== undefined) return { kind: "string", text: string };
  if (number !== undefined) return { kind: "number", text: number };
  return { kind: mark as TokenKind, text: mark ?? "" };
}
