// A Map that drops its oldest entries, for the memory of an isolate.

/** At about 1 kB an entry this stays far below an isolate's 128 MB. */
const MAX_ENTRIES = 10_000;

export function putBounded<K, V>(map: Map<K, V>, key: K, value: V): void {
  // A Map iterates in the order of insertion.
  map.delete(key);
  map.set(key, value);
  if (map.size <= MAX_ENTRIES) return;
  const oldest = map.keys().next();
  if (!oldest.done) map.delete(oldest.value);
}
