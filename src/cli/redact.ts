/** The last gate before text is shown: user and password of an address, and the secrets this command was given. */

const USER_INFO = /([a-z][a-z+]*:\/\/)[^\s"'<>]*@/gi;
const PARAMETER = /((?:sentinel)?password=)[^&\s"']*/gi;
/** A shorter one would blot out ordinary words. */
const SHORTEST_SECRET = 4;

export function redact(text: string, secrets: readonly (string | undefined)[] = []): string {
  let safe = text.replace(USER_INFO, '$1***@').replace(PARAMETER, '$1***');
  for (const secret of secrets) {
    if (secret !== undefined && secret.length >= SHORTEST_SECRET) safe = safe.replaceAll(secret, '***');
  }
  return safe;
}
