// Python's text format for the values in LiteLLM's messages, headers and timestamps.
// Must never be used for numbers in JSON.

/** A float in the format of Python's `str`: "1.0", "1.2000000000000002", "1e-05". */
export function floatText(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    const [digits, exponent] = value.toExponential().split("e");
    const power = Number(exponent);
    return `${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  }
  const text = String(value);
  return text.includes(".") ? text : `${text}.0`;
}

/** A dict with one entry, as in `error.message` when LiteLLM converts its error detail to text. */
export function dictText(name: string, value: string): string {
  const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
  const body = quote === "'" ? value.replaceAll("'", "\\'") : value;
  return `{'${name}': ${quote}${body}${quote}}`;
}

/** An instant in ms as ISO 8601. `zone`: LiteLLM's spelling in that field. Whole seconds have no fraction. */
export function instantText(instant: number, zone: "+00:00" | "Z"): string {
  const [seconds, fraction] = new Date(instant).toISOString().slice(0, -1).split(".");
  return fraction === "000" ? `${seconds}${zone}` : `${seconds}.${fraction}000${zone}`;
}
