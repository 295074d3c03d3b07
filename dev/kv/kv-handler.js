// The HTTP protocol behind a KV binding, over a Map. Plain JavaScript, because workerd and Node run the same file.
// Has no cache and no staleness: a read sees the last write at once, which real KV does not guarantee.

/** Real KV's limit for one bulk read. */
const MAX_BULK_KEYS = 100;

/** @returns {import("./kv-handler.d.ts").KvHandler} */
export function createKvHandler(now = Date.now) {
  const entries = new Map();
  let counts = noCounts();

  const readEntry = (key) => {
    const entry = entries.get(key);
    if (entry === undefined || (entry.expiresAt !== null && entry.expiresAt <= now())) return null;
    return entry.value;
  };

  async function readMany(request) {
    const { keys, type = "text" } = await request.json();
    if (keys.length < 1 || keys.length > MAX_BULK_KEYS)
      return new Response("too few or too many keys", { status: 400 });
    counts.bulkReads++;
    counts.keysRead += keys.length;
    const pairs = keys.map((key) => {
      const value = readEntry(key);
      return [key, value !== null && type === "json" ? JSON.parse(value) : value];
    });
    return Response.json(Object.fromEntries(pairs));
  }

  function readOne(key) {
    counts.reads++;
    counts.keysRead++;
    const value = readEntry(key);
    return value === null ? new Response("Not Found", { status: 404 }) : new Response(value);
  }

  async function write(key, request, query) {
    counts.writes++;
    const ttlSeconds = Number(query.get("expiration_ttl") ?? Number.NaN);
    const expiresAt = Number.isNaN(ttlSeconds) ? null : now() + ttlSeconds * 1_000;
    entries.set(key, { value: await request.text(), expiresAt });
    return new Response(null);
  }

  async function control(request, path) {
    if (path === "/_counts") {
      const answer = Response.json(counts);
      if (request.method === "DELETE") counts = noCounts();
      return answer;
    }
    if (request.method === "PUT") {
      for (const [key, value] of Object.entries(await request.json())) entries.set(key, { value, expiresAt: null });
    }
    return Response.json(Object.fromEntries([...entries].map(([key, { value }]) => [key, value])));
  }

  return async (request) => {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/_counts" || pathname === "/_entries") return control(request, pathname);
    if (request.method === "POST" && pathname === "/bulk/get") return readMany(request);
    const key = decodeURIComponent(pathname.slice(1));
    switch (request.method) {
      case "GET":
        return key === "" ? new Response("listing keys is not supported", { status: 501 }) : readOne(key);
      case "PUT":
        return write(key, request, searchParams);
      case "DELETE":
        counts.deletes++;
        entries.delete(key);
        return new Response(null);
      default:
        return new Response(null, { status: 405 });
    }
  };
}

function noCounts() {
  return { reads: 0, bulkReads: 0, keysRead: 0, writes: 0, deletes: 0 };
}
