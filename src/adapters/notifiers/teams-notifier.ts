// Sends notices to Teams through a Power Automate workflow.

import type { TeamsMessage } from "../../notices/providers/teams.ts";
import { chatNotifier } from "./chat-notifier.ts";
import { outcomeOf } from "./provider-post.ts";

export const teamsNotifier = chatNotifier<TeamsMessage>((answer) => outcomeOf(answer, errorCode));

/** Power Automate's `{"error":{"code":"WorkflowNotFound",…}}`. */
function errorCode(text: string): string | null {
  return /"code"\s*:\s*"([A-Za-z]+)"/.exec(text)?.[1] ?? null;
}
