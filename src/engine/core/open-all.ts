/** All of them or none: when one does not open, those that did are closed, and its reason is thrown. */
export async function openAll<T>(opening: readonly Promise<T>[], close: (opened: T) => Promise<unknown>): Promise<T[]> {
  const results = await Promise.allSettled(opening);
  const opened = results.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []));
  const failure = results.find(result => result.status === 'rejected');
  if (!failure) return opened;
  await Promise.all(opened.map(close));
  throw failure.reason;
}
