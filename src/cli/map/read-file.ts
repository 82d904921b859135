import { createReadStream } from 'node:fs';
import { describeError } from '../../engine/index.ts';
import { parseMapFile } from '../../present/map-file.ts';
import { UsageError } from '../errors.ts';
import { readAll } from '../stdin.ts';

/** More than a map of the largest usual size takes in any format. */
const FILE_LIMIT_BYTES = 256 * 1024 ** 2;

/** Entries of a file; `-` is standard input. @throws UsageError when it cannot be read, ArgumentError on what is in it. */
export async function readMapFile(path: string): Promise<Map<string, string>> {
  let bytes: Buffer;
  try {
    bytes = await readAll(path === '-' ? process.stdin : createReadStream(path), FILE_LIMIT_BYTES);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`"${path}" cannot be read: ${describeError(error)}`, { cause: error });
  }
  return parseMapFile(bytes);
}
