// The one error for a failure outside Bursar: a dependency is unreachable, or its answer is unparseable.

export type Dependency = "postgres" | "redis" | "kv" | "queue" | "litellm";

export class Outage extends Error {
  readonly dependency: Dependency;
  /** True for a change whose answer was lost: it may have been made, or may still be. */
  readonly isUnknown: boolean;
  constructor(dependency: Dependency, what: string, cause: unknown, { isUnknown = false } = {}) {
    super(`${dependency}: ${what}`, { cause });
    this.name = "Outage";
    this.dependency = dependency;
    this.isUnknown = isUnknown;
  }
}
