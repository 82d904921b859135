import { performance } from 'node:perf_hooks';
import type { DemoReport, DemoStep } from '../../present/nouns/demo.ts';
import { UsageError } from '../errors.ts';
import { DemoFleet } from './fleet.ts';
import { DemoStory, type Teller } from './story.ts';

export interface DemoOptions {
  /** Folder of the package. */
  root: string;
  /** Ends the demonstration early. */
  signal: AbortSignal;
  /** Registers what must be ended whatever happens. */
  defer: (end: () => Promise<void>) => void;
  say: (line: string) => Promise<void>;
  dashboard: boolean;
}

/**
 * Runs the demonstration and cleans up after it.
 * @throws UsageError when the dashboard is asked for without a terminal; whatever a step could not get past.
 */
export async function runDemo(options: DemoOptions): Promise<DemoReport> {
  if (options.dashboard && !(process.stdout.isTTY && process.stdin.isTTY)) {
    throw new UsageError('demo --dashboard needs a terminal', {
      suggestions: [['ponos demo', 'the same, told line by line']],
    });
  }
  const startMs = performance.now();
  const recorder = new Recorder(options.dashboard ? () => Promise.resolve() : options.say);
  const fleet = new DemoFleet(options.root);
  options.defer(() => fleet.stop());
  const story = new DemoStory(fleet, recorder, options.signal);
  options.defer(() => story.close());
  if (options.dashboard) await underDashboard(fleet, story, options);
  else await story.run();
  await recorder.told;
  if (options.dashboard) await recorder.retell(options.say);
  const report = { held: recorder.held, tookMs: performance.now() - startMs, steps: recorder.steps };
  const count = recorder.steps.flatMap(step => step.checks).length;
  await options.say('');
  await options.say(
    report.held
      ? `All ${count} expectations held, in ${(report.tookMs / 1000).toFixed(1)} s.`
      : `NOT all of ${count} expectations held: see the lines marked with a cross.`,
  );
  return report;
}

async function underDashboard(fleet: DemoFleet, story: DemoStory, options: DemoOptions): Promise<void> {
  const { showDashboard } = await import('../dashboard.ts');
  const told = story.run();
  await Promise.race([story.ready, told]);
  const closed = showDashboard({ url: fleet.url, readOnly: false });
  // Whoever leaves the dashboard early leaves the demonstration.
  await Promise.race([told, closed.then(() => story.abandon())]).catch(() => {});
  await closed;
  await told.catch(error => {
    if (!story.abandoned) throw error;
  });
  options.signal.throwIfAborted();
}

/** Keeps what is told, and says it as it comes. */
class Recorder implements Teller {
  readonly steps: DemoStep[] = [];
  readonly #lines: string[] = [];
  readonly #say: (line: string) => Promise<void>;
  told: Promise<void> = Promise.resolve();

  constructor(say: (line: string) => Promise<void>) {
    this.#say = say;
  }

  get held(): boolean {
    return this.steps.every(step => step.checks.every(check => check.held));
  }

  title(text: string): void {
    this.steps.push({ title: text, checks: [] });
    this.#tell('');
    this.#tell(`${this.steps.length}. ${text}`);
  }

  line(text: string): void {
    this.#tell(`     ${text}`);
  }

  check(check: DemoStep['checks'][number]): void {
    this.steps.at(-1)?.checks.push(check);
    this.#tell(`   ${check.held ? '✓' : '✗'} ${check.what}: ${check.seen}`);
  }

  async retell(say: (line: string) => Promise<void>): Promise<void> {
    for (const line of this.#lines) await say(line);
  }

  #tell(line: string): void {
    this.#lines.push(line);
    this.told = this.told.then(() => this.#say(line));
    this.told.catch(() => {});
  }
}
