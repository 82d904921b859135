/** Values as they were read from where they are stored: what somebody damaged there counts as absent. */

/** Last moment a `Date` can hold; above every token and clock in µs for two centuries. */
const MOST = 8.64e15;

/** A whole number that is not negative, or `fallback` for whatever is none. */
export function storedCount<T>(value: Uint8Array | string | null | undefined, fallback: T): number | T {
  if (value === null || value === undefined) return fallback;
  const text = String(value);
  const count = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return count <= MOST ? count : fallback;
}

/** The fields of a JSON object that have the type that they have in `wanted`. */
export function storedFields<T extends object>(text: string | undefined, wanted: T): Partial<T> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text ?? '');
  } catch {
    return {};
  }
  if (typeof parsed !== 'object' || parsed === null) return {};
  const given = new Map<string, unknown>(Object.entries(parsed));
  const fits = ([name, example]: [string, unknown]) => typeof given.get(name) === typeof example;
  const fields = Object.entries(wanted).filter(fits);
  return Object.fromEntries(fields.map(([name]) => [name, given.get(name)])) as Partial<T>;
}
