// Cuts a JSON body into its elements while it streams in: those of an array, the lines of ndjson, or the body itself.
// Keeps what lies in an element's upper two levels, without lists and long texts: prompts pass by and are never held.

/** Only that much is kept of `{"metadata": {"user_api_key_hash": "…", "deeper": {}, "list": []}}`. */
const KEPT_LEVELS = 2;

/** A longer text reads as empty: prompts are, and nothing that anybody needs. */
const MAX_TEXT_BYTES = 2_048;

/** Of one element, without its depths and long texts. LiteLLM's are below 10 KiB. */
const MAX_KEPT_BYTES = 256 * 1024;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/** An element's JSON is checked as far as it is kept. */
export type JsonElement =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "not_json" }
  | { readonly kind: "too_large" };

/** What may come next. `first` and `next` are inside an array, before an element; `between` is before a line's. */
type Place = "start" | "first" | "next" | "after" | "between" | "closed" | "element" | "failed";

export class ShallowJsonReader {
  #place: Place = "start";
  #isArray = false;
  #offset = 0;
  #failure: string | null = null;

  // The element that is being read.
  #depth = 0;
  #isInText = false;
  #isEscaped = false;
  #isLongText = false;
  #textStart = 0;
  /** How deep it is kept; less than usual inside a list. */
  #keptLevels = KEPT_LEVELS;
  #isTooLarge = false;
  #keptLength = 0;
  readonly #kept = new Uint8Array(MAX_KEPT_BYTES);
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  /** From here on nothing can be told apart. */
  get hasFailed(): boolean {
    return this.#place === "failed";
  }

  /** Whether the elements are those of an array. */
  get isArray(): boolean {
    return this.#isArray;
  }

  /** The elements that end in this chunk. After a failure there are no more. */
  write(chunk: Uint8Array): JsonElement[] {
    const elements: JsonElement[] = [];
    let at = 0;
    while (at < chunk.length && this.#place !== "failed") {
      if (this.#place !== "element") this.#step(chunk[at] as number, this.#offset + at);
      // As a step may have found the element's beginning, the same byte is read again as part of it.
      if (this.#place !== "element") {
        at++;
        continue;
      }
      at = this.#readElement(chunk, at, elements);
    }
    this.#offset += chunk.length;
    return elements;
  }

  /** The last element, if only the end shows that it is over, and what is wrong with the body as a whole. */
  end(): { readonly elements: readonly JsonElement[]; readonly failure: string | null } {
    const elements: JsonElement[] = [];
    if (this.#place === "element" && !this.#isArray && this.#depth === 0 && !this.#isInText) this.#endElement(elements);
    if (this.#place === "start") this.#failure = "the body is empty";
    else if (this.#place !== "closed" && this.#place !== "between") {
      this.#failure ??= `the body breaks off at byte ${this.#offset}`;
    }
    return { elements, failure: this.#failure };
  }

  /** One byte between elements. */
  #step(byte: number, offset: number): void {
    if (isSpace(byte) || (this.#place === "start" && byte === BYTE_ORDER_MARK[offset])) return;
    if (this.#place === "start" && byte === OPEN_BRACKET) {
      this.#isArray = true;
      this.#place = "first";
    } else if (this.#place === "after" && byte === COMMA) this.#place = "next";
    else if ((this.#place === "after" || this.#place === "first") && byte === CLOSE_BRACKET) this.#place = "closed";
    else if (this.#place === "after" || this.#place === "closed" || isPunctuation(byte)) {
      this.#place = "failed";
      this.#failure = `unexpected character at byte ${offset}`;
    } else this.#beginElement();
  }

  #beginElement(): void {
    this.#place = "element";
    this.#depth = 0;
    this.#keptLength = 0;
    this.#isTooLarge = false;
  }

  /** From `from` to the element's end or the chunk's; answers where that is. */
  #readElement(chunk: Uint8Array, from: number, elements: JsonElement[]): number {
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      if (this.#isInText) {
        at = this.#readText(chunk, at);
        if (this.#isInText || this.#depth > 0) continue;
      } else if (byte === QUOTE) {
        this.#beginText();
        continue;
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        this.#keep(byte);
        if (byte === OPEN_BRACKET) this.#keptLevels = Math.min(this.#keptLevels, this.#depth);
        this.#depth++;
        continue;
      } else if (this.#depth > 0) {
        if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) this.#depth--;
        if (this.#depth <= this.#keptLevels) this.#keptLevels = KEPT_LEVELS;
        this.#keep(byte);
        if (this.#depth > 0) continue;
      } else if (isSpace(byte) || byte === COMMA || byte === CLOSE_BRACKET) {
        // Nothing but what follows ends a number or a word.
        this.#endElement(elements);
        return at;
      } else {
        this.#keep(byte);
        continue;
      }
      this.#endElement(elements);
      return at + 1;
    }
    return chunk.length;
  }

  #beginText(): void {
    this.#keep(QUOTE);
    this.#isInText = true;
    this.#isLongText = false;
    this.#textStart = this.#keptLength;
  }

  /** To the text's end or the chunk's; answers where its last byte is. */
  #readText(chunk: Uint8Array, from: number): number {
    let isEscaped = this.#isEscaped;
    let at = from;
    for (; at < chunk.length; at++) {
      const byte = chunk[at];
      if (byte === QUOTE && !isEscaped) break;
      isEscaped = byte === BACKSLASH && !isEscaped;
    }
    this.#isEscaped = isEscaped;
    this.#isInText = at === chunk.length;
    this.#keepText(chunk.subarray(from, at));
    if (!this.#isInText) this.#keep(QUOTE);
    return at;
  }

  #keepText(part: Uint8Array): void {
    if (this.#depth > this.#keptLevels || this.#isLongText) return;
    if (this.#keptLength + part.length - this.#textStart > MAX_TEXT_BYTES) {
      this.#isLongText = true;
      this.#keptLength = this.#textStart;
    } else for (const byte of part) this.#keep(byte);
  }

  #keep(byte: number): void {
    if (this.#depth > this.#keptLevels) return;
    if (this.#keptLength === MAX_KEPT_BYTES) this.#isTooLarge = true;
    else this.#kept[this.#keptLength++] = byte;
  }

  #endElement(elements: JsonElement[]): void {
    this.#place = this.#isArray ? "after" : "between";
    elements.push(this.#isTooLarge ? { kind: "too_large" } : this.#parse());
  }

  #parse(): JsonElement {
    try {
      const text = this.#decoder.decode(this.#kept.subarray(0, this.#keptLength));
      return { kind: "value", value: JSON.parse(text) };
    } catch {
      return { kind: "not_json" };
    }
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** What no JSON value begins with. */
function isPunctuation(byte: number): boolean {
  return byte === COMMA || byte === COLON || byte === CLOSE_BRACKET || byte === CLOSE_BRACE;
}
