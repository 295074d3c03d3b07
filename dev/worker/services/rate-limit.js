// A rate limit binding inside workerd: so many per key and period, counted in this process.

export default function rateLimit({ limit, period }) {
  const windows = new Map();
  return {
    async limit({ key }) {
      const epoch = Math.floor(Date.now() / (period * 1_000));
      const window = windows.get(key);
      const count = window?.epoch === epoch ? window.count : 0;
      if (count >= limit) return { success: false };
      windows.set(key, { epoch, count: count + 1 });
      return { success: true };
    },
  };
}
