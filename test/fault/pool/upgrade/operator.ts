/** What an operator does with the command lines of two releases in a pool that both work in. */
import { equal, match } from 'node:assert/strict';
import { type CliOptions, type CliResult, ponos, type RunningCli, startPonos } from '../../../support/cli.ts';
import { type Held, nowMs } from '../journal.ts';
import { POOL, PREFIX, type Stage } from '../stage.ts';
import type { Release } from './releases.ts';

export interface Answer {
  code: number;
  says: RegExp;
}

/** Their jobs are processes, and have a worker group to themselves. */
const GROUP = 'commands';
const KEYS = ['command-0', 'command-1', 'command-2'];
const WORKER_LIMIT_MS = 600_000;

export class Operator {
  readonly #stage: Stage;
  #worker: RunningCli | undefined;
  #workerCount = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** A worker that runs a program for each job, and jobs for it. */
  async begin(release: Release): Promise<void> {
    await this.#succeed(release, 'pool', 'route', 'add', 'command-*', GROUP, '--pool', POOL);
    await this.#startWorker(release);
    for (const key of KEYS) {
      const jobs: Held[] = [[key, 0]];
      this.#stage.journal.write('sent', { jobs });
      await this.#succeed(release, 'job', 'dispatch', key, '--pool', POOL, '--wait', 'started');
      this.#stage.journal.write('accepted', { jobs });
    }
    await this.#stage.untilAlive(nowMs());
  }

  /** One of another release takes the place of that worker. Resolves with the exit code of the one that left. */
  async replaceWorker(release: Release): Promise<number | null> {
    const leaving = this.#worker as RunningCli;
    await this.#startWorker(release);
    return (await leaving.stop('SIGTERM')).code;
  }

  /** Whether the pool would be raised to the newest version of the protocol that the release speaks. */
  async planUpgrade(release: Release, { code, says }: Answer): Promise<void> {
    const answer = await this.#run(release, 'pool', 'upgrade', POOL, '--dry-run');
    const text = answer.stdout + answer.stderr;
    match(text, says);
    equal(answer.code, code, text);
  }

  /** Nothing critical in the eyes of either. */
  async diagnose(releases: readonly Release[]): Promise<void> {
    for (const release of releases) await this.#succeed(release, 'doctor', POOL);
  }

  async #startWorker(release: Release): Promise<void> {
    const { fleet, tickingCommand } = this.#stage;
    const name = `c${this.#workerCount++}`;
    const args = ['--pool', POOL, '--group', GROUP, '--lease', 'fast', '--exec', tickingCommand];
    const running = startPonos(['worker', 'start', ...args], this.#options(release, { WORKER: name }));
    const exited = running.result.then(({ code }) => code);
    fleet.adopt({ name, process: running.process, exited });
    await running.says(/ready: pool/);
    this.#worker = running;
  }

  async #succeed(release: Release, ...args: string[]): Promise<void> {
    const { code, stdout, stderr } = await this.#run(release, ...args);
    equal(code, 0, `ponos ${args.join(' ')} of ${release.name}: ${stdout}${stderr}`);
  }

  #run(release: Release, ...args: string[]): Promise<CliResult> {
    return ponos(args, this.#options(release));
  }

  #options({ executable }: Release, more: Record<string, string> = {}): CliOptions {
    const { url } = this.#stage.servers;
    return { executable, limitMs: WORKER_LIMIT_MS, env: { PONOS_REDIS_URL: url, PONOS_PREFIX: PREFIX, ...more } };
  }
}
