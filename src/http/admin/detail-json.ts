// The detail of an alert or of an audit line as JSON: amounts of money are numbers, as everywhere in the API.

/** Postgres keeps each as a decimal string, which is exact. `projected_spend` is of alerts by earlier releases. */
const AMOUNTS = new Set(["override_amount", "spend", "cost", "spend_before", "spend_after", "projected_spend"]);

export function detailJson<T extends object>(detail: T): Record<string, unknown> {
  const entries = Object.entries(detail) as [string, unknown][];
  return Object.fromEntries(entries.map(([name, value]) => [name, isAmount(name, value) ? Number(value) : value]));
}

const isAmount = (name: string, value: unknown) => typeof value === "string" && AMOUNTS.has(name);
