import * as Flags from '@oclif/core/flags';
import type { Registry } from 'prom-client';
import { BaseCommand } from '../cli/base-command.ts';
import { warnOfBroken } from '../cli/broken.ts';
import { failureOf } from '../cli/failures.ts';
import { redact } from '../cli/redact.ts';
import { describeError, type RedisLink, type SurveyGap, type SurveyPart, surveyFleet } from '../engine/index.ts';
import { formatCount } from '../present/human.ts';
import { metricNoun, samplesOf } from '../present/nouns/metrics.ts';
import { safeText } from '../present/safe-text.ts';

const MAX = 1000;

export default class Metrics extends BaseCommand<typeof Metrics> {
  static override summary = 'Tell Prometheus how pools, streams, sinks and maps are';
  static override description =
    'Prints the metrics once, or with --listen serves them at /metrics until Ctrl-C. Each scrape is one reading of Redis and ' +
    'writes nothing; scrapes that come at once share it. What cannot be read, such as what a lost master of a cluster had, is left ' +
    'out, and ponos_up and ponos_unreadable tell; ponos_broken names what has a key of another type. When no server answers a scrape gets 503 and the reason. ' +
    'What Redis cannot know is left out, never 0. No label grows with jobs or events.';
  static override examples = [
    '<%= config.bin %> metrics',
    '<%= config.bin %> metrics --listen 9464',
    '<%= config.bin %> metrics --listen 0.0.0.0:9464 --workers',
    '<%= config.bin %> metrics --json',
  ];
  static override flags = {
    listen: Flags.string({
      helpValue: '[HOST:]PORT',
      description: 'Serve them over HTTP; HOST is 127.0.0.1 by default',
    }),
    max: Flags.integer({
      min: 1,
      helpValue: 'N',
      description: `Most pools, streams and maps that are shown, of each, default ${MAX}`,
    }),
    workers: Flags.boolean({ description: 'Also tell about each worker: its name is another after each restart' }),
  };

  async run(): Promise<void> {
    const { listen, max = MAX, workers = false } = this.flags;
    const { MetricsServer, parseListenAddress } = await import('../cli/metrics-server.ts');
    const address = listen === undefined ? undefined : parseListenAddress(listen);
    const link = await this.connect();
    const explain = (error: unknown) => redact(describeError(error), [this.settings.password?.value]);
    if (!address) {
      const { registry, survey } = await this.#read(link, max, workers);
      await this.#print(registry);
      for (const [part, gap] of survey.gaps)
        await this.output.warn(`${describeGap(part, gap)}: ${explain(failureOf(gap.error).message)}`);
      await warnOfBroken(this.output, survey.broken, this.located);
      return;
    }
    const server = await MetricsServer.open(address, {
      read: async () => {
        const { registry } = await this.#read(link, max, workers);
        return { contentType: registry.contentType, text: await registry.metrics() };
      },
      explain: error => safeText(explain(error)),
    });
    this.defer(() => server.close());
    await this.output.note(`metrics are at ${server.url}`);
    const stopped = this.untilInterrupted();
    if (!stopped.aborted) await new Promise(resolve => stopped.addEventListener('abort', resolve, { once: true }));
  }

  async #read(link: RedisLink, max: number, perWorker: boolean) {
    const { toMetrics } = await import('../present/metrics.ts');
    const startMs = performance.now();
    const survey = await surveyFleet(link, max);
    const tookMs = performance.now() - startMs;
    return { survey, registry: toMetrics(survey, { version: this.config.version, perWorker, tookMs }) };
  }

  async #print(registry: Registry): Promise<void> {
    const { looks, stdout } = this.output;
    if (looks.formatGiven && !looks.raw) return this.output.list(metricNoun, await samplesOf(registry));
    const text = await registry.metrics();
    await stdout.write(stdout.isTerminal && !looks.raw ? safeText(text, { keepLines: true }) : text);
  }
}

function describeGap(part: SurveyPart, { count }: SurveyGap): string {
  const nouns: Partial<Record<SurveyPart, string>> = { pools: 'pool', streams: 'stream', maps: 'map' };
  const some = count === null ? `the ${part}` : nouns[part] && formatCount(count, nouns[part]);
  return `${some ?? `the sinks of ${formatCount(count ?? 0, 'stream')}`} could not be read`;
}
