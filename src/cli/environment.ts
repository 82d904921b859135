/**
 * The executable changes a few variables for itself (production mode, no debug output, because libraries print arguments
 * in it). What ponos starts on the user's behalf gets the environment as the user had it.
 */
let original: Readonly<Record<string, string | undefined>> = {};

/** Called once by the executable: the variables it changed, as they were; undefined for those that were not set. */
export function rememberEnvironment(changed: Readonly<Record<string, string | undefined>>): void {
  original = changed;
}

/** The environment for a child process that runs the user's code. */
export function childEnvironment(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env };
  for (const [name, value] of Object.entries(original)) {
    if (value === undefined) delete env[name];
    else env[name] = value;
  }
  return env;
}
