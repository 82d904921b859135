/** A process that ends by SIGKILL just before or just after a script: the engine in it is the real one. */
import { spawn } from 'node:child_process';
import { Connection } from '../../src/engine/redis/connection.ts';

export interface Crash {
  /** As `pool.claim`. */
  script: string;
  /** At which of its calls. */
  nth: number;
  when: 'before' | 'after';
}

/** With this a victim says that it never came to its script. */
export const NEVER_REACHED = 3;

/** Every script, before and after each of these calls. */
export function crashesOf(names: readonly string[], nths: readonly number[]): Crash[] {
  return names.flatMap(script =>
    nths.flatMap(nth => (['before', 'after'] as const).map(when => ({ script, nth, when }))),
  );
}

/** Ends this process there. */
export function crashAt({ script, nth, when }: Crash): void {
  const run = Connection.prototype.run;
  let calls = 0;
  Connection.prototype.run = async function (this: Connection, ...args: Parameters<typeof run>) {
    const isIt = args[0].name === script && ++calls === nth;
    if (isIt && when === 'before') await end();
    const reply = await run.apply(this, args);
    if (isIt) await end();
    return reply;
  } as typeof run;
}

function end(): Promise<never> {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => {});
}

/** Runs a victim with its options as JSON. Undefined when it ended where it was to, else what it did. */
export async function runVictim(program: string, options: Crash): Promise<string | undefined> {
  const child = spawn(process.execPath, [program, JSON.stringify(options)], { stdio: ['pipe', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', data => {
    said += data;
  });
  const [code, signal] = await new Promise<[number | null, string | null]>(resolve => {
    child.once('exit', (...how) => resolve(how));
  });
  if (signal === 'SIGKILL') return undefined;
  return code === NEVER_REACHED
    ? 'the script was never reached: the victim must learn to'
    : `it ended with ${code}: ${said}`;
}

/** Tries all crashes, so many at once. */
export async function sweepOver<Verdict>(
  crashes: readonly Crash[],
  atOnce: number,
  tryOne: (crash: Crash) => Promise<Verdict>,
): Promise<Verdict[]> {
  const queue = [...crashes];
  const verdicts: Verdict[] = [];
  const lane = async () => {
    for (let crash = queue.shift(); crash; crash = queue.shift()) verdicts.push(await tryOne(crash));
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return verdicts;
}
