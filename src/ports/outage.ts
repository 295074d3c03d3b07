// The one error that says "not our bug": a dependency could not be reached, or answered nonsense.

export type Dependency = "postgres" | "redis" | "kv" | "queue" | "litellm";

export class Outage extends Error {
  readonly dependency: Dependency;
  constructor(dependency: Dependency, what: string, cause: unknown) {
    super(`${dependency}: ${what}`, { cause });
    this.name = "Outage";
    this.dependency = dependency;
  }
}
