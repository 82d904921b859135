/** What the dashboard asks of a terminal beyond drawing. */

/** Terminals that cap what OSC 52 may carry, cap it here or above. */
const MOST_COPIED_BYTES = 74_994;
/** How long a stop signal that the kernel ignores (no shell to come back from) is waited for. */
const STOP_MS = 200;

/** OSC 52, which reaches the clipboard of the person's own terminal, also over SSH. undefined: too much. */
export function copySequence(text: string): string | undefined {
  const encoded = Buffer.from(text.toWellFormed(), 'utf8').toString('base64');
  return encoded.length > MOST_COPIED_BYTES ? undefined : `\x1b]52;c;${encoded}\x07`;
}

/**
 * Stops the whole foreground job, as Ctrl-Z does where keys are not read raw, and resolves when it was continued. The
 * group, because the process may have been started by another that waits for it.
 */
export function suspendProcess(): Promise<void> {
  return new Promise(resolve => {
    // A stopped process runs no timers: this one fires after `fg`, or when nothing stopped it.
    setTimeout(resolve, STOP_MS);
    process.kill(0, 'SIGTSTP');
  });
}
