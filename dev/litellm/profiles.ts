// What differs between generations of LiteLLM. The simulator behaves by this table, and the contract suite checks the
// simulator and the real proxies against it. docs/litellm.md explains each difference.

/** A generation, named after the first release line that was tested. */
export type LitellmProfile = "1.81" | "1.83" | "1.103" | "1.110";

export interface Behaviour {
  /** The tested release. The simulator names it in its headers. */
  readonly version: string;
  /** The minor release, which the fields of rows, events and requests and the words of refusals follow. */
  readonly release: 81 | 83 | 103 | 110;
  /** `texts`: an unset `param` is "None". `null_params`: null in management errors. `openai`: OpenAI types, too. */
  readonly errors: "texts" | "null_params" | "openai";
  /** The status of a call that a budget refuses. */
  readonly refusalStatus: 400 | 422 | 429;
  /** The refusal of a key names its alias and the end of its text. */
  readonly refusalNamesKey: boolean;
  /** The status of an update or a block of a key that does not exist. */
  readonly unknownKeyStatus: 401 | 404;
  /** The rows of `/v2/key/info` have the key's hash as `token`. Otherwise nothing in a row names its key. */
  readonly rowsHaveToken: boolean;
  /** `/key/info` answers 200 for a deleted key, with its last row and `status: "deleted"`. */
  readonly showsDeletedKeys: boolean;
  /** `x-litellm-key-spend` and `user_api_key_spend` come from the key's row in memory, up to 60 s old. */
  readonly hasStaleKeySpend: boolean;
  /** A call reserves what it may cost at most, and other calls meanwhile are refused if nothing is left. */
  readonly reservesBudget: boolean;
  /** Spend reaches the database this much later, in ms. */
  readonly databaseDelayMs: { readonly min: number; readonly max: number };
  /** Spend is counted apart from the key's row, so a change or a deletion of the key does not forget the count. */
  readonly countsApart: boolean;
  /** The end of a period is enforced as soon as the reset job ran. Otherwise up to 60 s later. */
  readonly jobResetsAtOnce: boolean;
  /** A refusal's event has the key's alias, metadata and budget. Otherwise only its hash. */
  readonly refusalEventNamesKey: boolean;
  /** A projected alert has the soft budget as `max_budget`, so a key above it gets `budget_crossed`. */
  readonly projectsSoftBudget: boolean;
  /** A reset of spend is enforced at once. Otherwise the old spend may be enforced for minutes. */
  readonly resetsAtOnce: boolean;
  /** `/key/update` changes the soft budget. */
  readonly updatesSoftBudget: boolean;
  /** A duration that is none, such as "banana", is a 400. Otherwise it ends every midnight. */
  readonly checksDurations: boolean;
  /** A null in an update clears the budget duration. Otherwise it is ignored. */
  readonly clearsDurations: boolean;
  /** `w` counts weeks. Otherwise such a window ends every midnight. */
  readonly knowsWeeks: boolean;
  /** The window of a budget object is aligned to the calendar, as a key's is. */
  readonly alignsBudgetObjects: boolean;
  /** A temporary increase may end at an instant with a zone. Otherwise every call of the key fails. */
  readonly readsZonedExpiry: boolean;
  /** A body can switch the guardrail off with `disable_global_guardrail`. */
  readonly bodySkipsGuardrail: boolean;
  /** The status of a call that the guardrail blocks. */
  readonly guardrailStatus: 400 | 500;
  /** The guardrail's settings `unreachable_fallback` and `fail_on_error` exist. */
  readonly guardrailFallback: "none" | "unreachable" | "any_error";
}

const V1_81: Behaviour = {
  version: "1.81.9",
  release: 81,
  errors: "texts",
  databaseDelayMs: { min: 10_000, max: 15_000 },
  countsApart: false,
  jobResetsAtOnce: false,
  refusalEventNamesKey: false,
  projectsSoftBudget: false,
  clearsDurations: false,
  bodySkipsGuardrail: true,
  refusalStatus: 400,
  refusalNamesKey: false,
  unknownKeyStatus: 401,
  rowsHaveToken: true,
  showsDeletedKeys: false,
  hasStaleKeySpend: false,
  reservesBudget: false,
  resetsAtOnce: true,
  updatesSoftBudget: false,
  checksDurations: false,
  knowsWeeks: false,
  alignsBudgetObjects: false,
  readsZonedExpiry: false,
  guardrailStatus: 500,
  guardrailFallback: "none",
};

const V1_83: Behaviour = {
  ...V1_81,
  version: "1.83.14",
  release: 83,
  projectsSoftBudget: true,
  bodySkipsGuardrail: false,
  unknownKeyStatus: 404,
  rowsHaveToken: false,
  resetsAtOnce: false,
  alignsBudgetObjects: true,
  guardrailFallback: "unreachable",
};

const V1_103: Behaviour = {
  ...V1_83,
  version: "1.103.11",
  release: 103,
  errors: "null_params",
  databaseDelayMs: { min: 10_000, max: 25_000 },
  countsApart: true,
  jobResetsAtOnce: true,
  refusalEventNamesKey: true,
  clearsDurations: true,
  refusalStatus: 429,
  refusalNamesKey: true,
  hasStaleKeySpend: true,
  showsDeletedKeys: true,
  reservesBudget: true,
  resetsAtOnce: true,
  updatesSoftBudget: true,
  checksDurations: true,
  knowsWeeks: true,
  readsZonedExpiry: true,
  guardrailStatus: 400,
  guardrailFallback: "any_error",
};

const V1_110: Behaviour = {
  ...V1_103,
  version: "1.110.2",
  release: 110,
  errors: "openai",
  refusalStatus: 422,
};

const PROFILES: Readonly<Record<LitellmProfile, Behaviour>> = {
  "1.81": V1_81,
  "1.83": V1_83,
  "1.103": V1_103,
  "1.110": V1_110,
};

export const PROFILE_NAMES = Object.keys(PROFILES) as readonly LitellmProfile[];

export function behaviourOf(profile: LitellmProfile): Behaviour {
  return PROFILES[profile];
}

export function isProfile(text: string): text is LitellmProfile {
  return Object.hasOwn(PROFILES, text);
}

/** The first minor release of each profile's behaviour. Between them, single differences may have come earlier. */
const SINCE: readonly (readonly [minor: number, profile: LitellmProfile])[] = [
  [104, "1.110"],
  [84, "1.103"],
  [83, "1.83"],
];

/** The profile of a release such as "1.108.14". */
export function profileOf(version: string): LitellmProfile {
  const minor = Number(version.split(".")[1]);
  return SINCE.find(([since]) => minor >= since)?.[1] ?? "1.81";
}
