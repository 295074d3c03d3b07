// A rate limit binding inside workerd: `limit` calls per key and period, counted in memory. A period starts with the
// key's first call.

export default function rateLimit({ limit, period }) {
  const windows = new Map();
  return {
    async limit({ key }) {
      const now = Date.now();
      const window = windows.get(key);
      const isRunning = window !== undefined && now - window.startedAt < period * 1_000;
      const { startedAt, count } = isRunning ? window : { startedAt: now, count: 0 };
      if (count >= limit) return { success: false };
      windows.set(key, { startedAt, count: count + 1 });
      return { success: true };
    },
  };
}
