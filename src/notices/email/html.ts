// HTML out of template literals. Every value is escaped unless it is markup made here: what is forgotten is safe.

class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type Html = Markup;

/** Null is nothing; a list is its parts one after the other. */
type Value = Html | string | number | null | readonly Html[];

/** Blanks that only indent the template are left out: mail clients cut off what is long. */
export function html(strings: TemplateStringsArray, ...values: readonly Value[]): Html {
  const parts = strings.map((part, index) => part.replace(/\n\s*/g, "") + textOf(values[index] ?? null));
  return new Markup(parts.join(""));
}

function textOf(value: Value): string {
  if (value === null) return "";
  if (value instanceof Markup) return value.text;
  if (Array.isArray(value)) return value.map(textOf).join("");
  return escaped(String(value));
}

/** As it may stand between tags and in quoted attributes. */
export function escaped(text: string): string {
  const withoutTags = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return withoutTags.replaceAll('"', "&quot;").replaceAll("'", "&#39;");
}
