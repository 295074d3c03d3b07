// A tenant's refusal settings as JSON: the same in the admin API, in Postgres, in its audit and in KV.

import * as z from "zod";
import type { RefusalSettings } from "../budget/tenant.ts";

/** Settings that were validated when they were set. */
export const refusalSettings = z
  .object({ message: z.string().nullable(), contact_url: z.string().nullable(), amounts: z.boolean() })
  .transform(
    ({ message, contact_url: contactUrl, amounts: showsAmounts }): RefusalSettings => ({
      message,
      contactUrl,
      showsAmounts,
    }),
  );

export function refusalSettingsJson({ message, contactUrl, showsAmounts }: RefusalSettings) {
  return { message, contact_url: contactUrl, amounts: showsAmounts } satisfies z.input<typeof refusalSettings>;
}
