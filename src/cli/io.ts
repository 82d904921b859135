/** The standard streams of this process, each wrapped once. */
import { ByteSink } from './byte-sink.ts';

let streams: { stdout: ByteSink; stderr: ByteSink } | undefined;

export function standardStreams(): { stdout: ByteSink; stderr: ByteSink } {
  streams ??= { stdout: new ByteSink(process.stdout), stderr: new ByteSink(process.stderr) };
  return streams;
}
