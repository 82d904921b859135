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
  const recorder = new Recorder();
  const fleet = new DemoFleet(options.root);
  options.defer(() => fleet.stop());
  const story = new DemoStory(fleet, recorder, options.signal);
  options.defer(() => story.close());
  if (options.dashboard) {
    const { showDashboard } = await import('../dashboard.ts');
    const left = story.ready.then(() => showDashboard({ url: fleet.url, readOnly: false }));
    const told = story.run({ sumAfter: left });
    // What was told meanwhile is told when the screen is free, and the rest as it comes.
    await Promise.race([left, told]).finally(() => left);
    recorder.open(options.say);
    await told;
  } else {
    recorder.open(options.say);
    await story.run();
  }
  await recorder.told;
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

/** Keeps what is told, and says it once it may. */
class Recorder implements Teller {
  readonly steps: DemoStep[] = [];
  readonly #waiting: string[] = [];
  #say: ((line: string) => Promise<void>) | undefined;
  /** Settles when everything told so far is said. */
  told: Promise<void> = Promise.resolve();

  get held(): boolean {
    return this.steps.every(step => step.checks.every(check => check.held));
  }

  open(say: (line: string) => Promise<void>): void {
    this.#say = say;
    for (const line of this.#waiting.splice(0)) this.#tell(line);
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

  #tell(line: string): void {
    const say = this.#say;
    if (!say) {
      this.#waiting.push(line);
      return;
    }
    this.told = this.told.then(() => say(line));
    this.told.catch(() => {});
  }
}
