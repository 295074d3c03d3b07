// HTML from template literals. Escapes every value that is not markup made by `html`, so a forgotten escape is safe.

class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type Html = Markup;

/** Null renders nothing; a list renders its parts in order. */
type Value = Html | string | number | null | readonly Html[];

/** Drops the template's indentation, because mail clients cut long messages. */
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

/** Escapes for text between tags and for quoted attributes. */
export function escaped(text: string): string {
  const withoutTags = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return withoutTags.replaceAll('"', "&quot;").replaceAll("'", "&#39;");
}
