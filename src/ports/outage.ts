// The one error for a failure outside Bursar: a dependency is unreachable, or its answer is unparseable.

export type Dependency = "postgres" | "redis" | "kv" | "queue" | "litellm";

export class Outage extends Error {
  readonly dependency: Dependency;
  constructor(dependency: Dependency, what: string, cause: unknown) {
    super(`${dependency}: ${what}`, { cause });
    this.name = "Outage";
    this.dependency = dependency;
  }
}
