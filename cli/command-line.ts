// Reads the arguments of a command strictly, on commander. Help and usage errors end the process before the command
// does anything: exit code 0 after --help, 2 after an unknown flag, a stray argument or an invalid value.

import { Command, CommanderError, type OptionValues } from "@commander-js/extra-typings";

export interface CommandHelp {
  /** The command as the operator types it, such as `npm run db:rollback --`. */
  readonly name: string;
  readonly description: string;
  /** The environment variables that the command reads, each with its purpose. */
  readonly environment?: Readonly<Record<string, string>>;
  /** The meaning of each exit code besides {@link USAGE_EXIT}. */
  readonly exitCodes: Readonly<Record<number, string>>;
}

export interface CommandStreams {
  readonly out: { write(text: string): unknown };
  readonly err: { write(text: string): unknown };
}

const USAGE_EXIT = 2;

/** The caller adds options and arguments with commander's own methods. */
export function defineCommand({ name, description, environment = {}, exitCodes }: CommandHelp): Command {
  const codes = { [USAGE_EXIT]: "the arguments are invalid", ...exitCodes };
  return new Command(name)
    .description(description)
    .helpOption("-h, --help", "print this help and exit")
    .addHelpText("after", section("Environment", environment) + section("Exit codes", codes))
    .showHelpAfterError()
    .exitOverride();
}

/** @throws CommanderError after printing help or a usage error; {@link usageExitOf} has the exit code. */
export function parseArguments<Args extends unknown[], Options extends OptionValues>(
  command: Command<Args, Options>,
  args: readonly string[],
  { out, err }: CommandStreams,
): { readonly args: Args; readonly options: Options } {
  command.configureOutput({ writeOut: (text) => out.write(text), writeErr: (text) => err.write(text) });
  const { processedArgs } = command.parse([...args], { from: "user" });
  for (const [name, value] of Object.entries(command.opts())) {
    // Commander takes whatever follows as the value, so `--only --apply` would name a pattern and drop the flag.
    const swallowed = [value].flat().find((each) => typeof each === "string" && each.startsWith("--"));
    if (swallowed !== undefined) command.error(`error: ${name} needs a value before ${swallowed}`);
  }
  return { args: processedArgs as unknown as Args, options: command.opts() };
}

/** Parses the arguments of this process. Ends the process after help or a usage error. */
export function readCommandLine<Args extends unknown[], Options extends OptionValues>(
  command: Command<Args, Options>,
): { readonly args: Args; readonly options: Options } {
  try {
    return parseArguments(command, process.argv.slice(2), { out: process.stdout, err: process.stderr });
  } catch (error) {
    const exitCode = usageExitOf(error);
    if (exitCode === null) throw error;
    process.exit(exitCode);
  }
}

/** Null for an error that is not about usage. */
export function usageExitOf(error: unknown): 0 | typeof USAGE_EXIT | null {
  if (!(error instanceof CommanderError)) return null;
  return error.exitCode === 0 ? 0 : USAGE_EXIT;
}

function section(title: string, entries: Readonly<Record<string, string>>): string {
  const names = Object.keys(entries);
  if (names.length === 0) return "";
  const width = Math.max(...names.map((name) => name.length));
  const lines = Object.entries(entries).map(([name, text]) => `  ${name.padEnd(width)}  ${text}`);
  return `\n${title}:\n${lines.join("\n")}\n`;
}
