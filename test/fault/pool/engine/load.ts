/** The processes of a fault test run the sources, or the public surface of a release that was packed. */
import { pathToFileURL } from 'node:url';

type Engine = typeof import('./sources.ts');

export function loadEngine(packed?: string): Promise<Engine> {
  return packed === undefined ? import('./sources.ts') : import(pathToFileURL(packed).href);
}
