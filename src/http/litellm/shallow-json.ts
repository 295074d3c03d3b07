// Splits a JSON body into its elements while it streams in: items of an array, lines of NDJSON, or the body itself.
// Keeps only the upper two levels of an element, without lists and long texts, so it never holds a prompt.

/** Of a call, this keeps `{"metadata": {"user_api_key_hash": "…", "deeper": {}, "list": []}}` and nothing deeper. */
const KEPT_LEVELS = 2;

/** A longer text becomes empty: only prompts are longer, and no field that Bursar reads. */
const MAX_TEXT_BYTES = 2_048;

/** Limit for the kept part of one element. LiteLLM's are below 10 KiB. */
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

/** Only the kept part of an element is checked to be JSON. */
export type JsonElement =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "not_json" }
  | { readonly kind: "too_large" };

/** The state of the parser. `first` and `next`: in an array, before an element. `between`: before a line. */
type Place = "start" | "first" | "next" | "after" | "between" | "closed" | "element" | "failed";

export class ShallowJsonReader {
  #place: Place = "start";
  #isArray = false;
  #offset = 0;
  #failure: string | null = null;

  // The current element.
  #depth = 0;
  #isInText = false;
  #isEscaped = false;
  #isLongText = false;
  #textStart = 0;
  /** How many levels are kept; fewer inside a list. */
  #keptLevels = KEPT_LEVELS;
  #isTooLarge = false;
  #keptLength = 0;
  readonly #kept = new Uint8Array(MAX_KEPT_BYTES);
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  /** True once a syntax error between elements makes the rest unreadable. */
  get hasFailed(): boolean {
    return this.#place === "failed";
  }

  /** True when the body is one array. */
  get isArray(): boolean {
    return this.#isArray;
  }

  /** Returns the elements that end in this chunk; none after a failure. */
  write(chunk: Uint8Array): JsonElement[] {
    const elements: JsonElement[] = [];
    let at = 0;
    while (at < chunk.length && this.#place !== "failed") {
      if (this.#place !== "element") this.#step(chunk[at] as number, this.#offset + at);
      // If the step found the beginning of an element, the same byte is read again as part of it.
      if (this.#place !== "element") {
        at++;
        continue;
      }
      at = this.#readElement(chunk, at, elements);
    }
    this.#offset += chunk.length;
    return elements;
  }

  /**
   * Returns a last number or word, which only the end of the body terminates, and why the body is malformed, or null.
   */
  end(): { readonly elements: readonly JsonElement[]; readonly failure: string | null } {
    const elements: JsonElement[] = [];
    if (this.#place === "element" && !this.#isArray && this.#depth === 0 && !this.#isInText) this.#endElement(elements);
    if (this.#place === "start") this.#failure = "the body is empty";
    else if (this.#place !== "closed" && this.#place !== "between") {
      this.#failure ??= `the body breaks off at byte ${this.#offset}`;
    }
    return { elements, failure: this.#failure };
  }

  /** Handles one byte between elements. */
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

  /** Reads to the end of the element or the chunk; returns the position after it. */
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
        // A number or a word ends only at the character after it.
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

  /** Reads to the end of the text or the chunk; returns the position of its last byte. */
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

/** A character that cannot begin a JSON value. */
function isPunctuation(byte: number): boolean {
  return byte === COMMA || byte === COLON || byte === CLOSE_BRACKET || byte === CLOSE_BRACE;
}
