// The types of Workers KV that its adapter uses, for tests that run it in Node. Only the parts in use.

interface KVNamespacePutOptions {
  readonly expirationTtl?: number;
}

interface KVNamespace {
  get(key: string, options: { type: "text"; cacheTtl: number }): Promise<string | null>;
  get(keys: string[], options: { type: "text"; cacheTtl: number }): Promise<Map<string, string | null>>;
  put(key: string, text: string, options?: KVNamespacePutOptions): Promise<void>;
}
