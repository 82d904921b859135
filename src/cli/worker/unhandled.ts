const EVENTS = ['uncaughtException', 'unhandledRejection'] as const;

/**
 * Errors that nobody catches go to `tell` instead of ending the process. A worker runs jobs of many; a floating promise of
 * one of them must not end the others, and never in silence. The returned function puts back what was.
 */
export function catchUnhandled(tell: (error: unknown) => void): () => void {
  const restores = EVENTS.map(event => {
    const before = process.rawListeners(event) as ((error: unknown) => void)[];
    process.removeAllListeners(event);
    process.on(event, tell);
    return () => {
      process.off(event, tell);
      for (const listener of before) process.on(event, listener);
    };
  });
  return () => {
    for (const restore of restores) restore();
  };
}
