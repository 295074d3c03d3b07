// Reads how many cases a test plays from the environment.

/** The variable as a whole number from 1, or `usual` without it. @throws Error for any other text. */
export function countFrom(variable: string, usual: number): number {
  const text = process.env[variable];
  if (text === undefined || text === "") return usual;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Error(`${variable} must be a whole number from 1, not ${text}`);
  return Number(text);
}
