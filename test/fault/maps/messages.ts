/** Whether bytes from Redis are messages of a channel and nothing else, each of them whole: only such can be eaten unnoticed. */
export function isWholeMessages(bytes: Buffer): boolean {
  let at = 0;
  while (at < bytes.length) {
    const head = /^[*>]3\r\n\$8\r\nsmessage\r\n/.exec(bytes.toString('latin1', at, at + 32))?.[0];
    if (!head) return false;
    at += head.length;
    for (let part = 0; part < 2; part++) {
      const size = /^\$(\d+)\r\n/.exec(bytes.toString('latin1', at, at + 16));
      if (!size) return false;
      at += size[0].length + Number(size[1]) + 2;
    }
  }
  return at > 0 && at === bytes.length;
}
