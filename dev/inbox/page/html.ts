// HTML that is escaped unless it was made here: text from outside cannot become markup by being forgotten.

import { escaped } from "../../../src/notices/email/html.ts";

export class Html {
  readonly markup: string;
  constructor(markup: string) {
    this.markup = markup;
  }
}

/** Null, undefined and false render as nothing, a list as its parts in a row. */
export type Renderable = Html | string | number | null | undefined | false | readonly Renderable[];

export function html(strings: TemplateStringsArray, ...values: Renderable[]): Html {
  return new Html(strings.map((text, at) => text + (at < values.length ? markupOf(values[at]) : "")).join(""));
}

function markupOf(value: Renderable): string {
  if (value instanceof Html) return value.markup;
  if (isList(value)) return value.map(markupOf).join("");
  if (value === null || value === undefined || value === false) return "";
  return escaped(String(value));
}

function isList(value: Renderable): value is readonly Renderable[] {
  return Array.isArray(value);
}
