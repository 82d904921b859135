/**
 * Imported by programs that tests start with a pipe as standard input: when the tester is gone, however it went, the pipe
 * ends and so does the program.
 */
process.stdin.resume();
process.stdin.once('end', () => process.exit(1));
(process.stdin as unknown as { unref?(): void }).unref?.();
