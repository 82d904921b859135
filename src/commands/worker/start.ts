import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { EXIT } from '../../cli/exit-codes.ts';
import { changeFlags, duration, evictionFlags, poolFlags, text } from '../../cli/flags.ts';
import { chooseHandler } from '../../cli/worker/choose-handler.ts';
import { runWorker } from '../../cli/worker/run-worker.ts';
import { type LeasePreset, leasePresets, poolNodeOptions, workerOptions } from '../../engine/index.ts';
import { formatDuration } from '../../present/human.ts';

/** Others take over when lease and grace are over, and have a second to notice. */
const takeOverSeconds = ({ leaseMs, graceMs }: { leaseMs: number; graceMs: number }) => (leaseMs + graceMs) / 1000 + 1;

export default class WorkerStart extends BaseCommand<typeof WorkerStart> {
  static override summary = 'Run a worker: a module, or a program for each job';
  static override description =
    `HANDLER is a JavaScript or TypeScript module that exports start(job), with stop(job) and notify(job, payload) if it wants them, or run(job, signal). --exec runs one child process for each job instead: the payload on its standard input; PONOS_JOB_KEY, PONOS_JOB_TOKEN, PONOS_JOB_ATTEMPT, PONOS_JOB_GROUP and PONOS_POOL in its environment. Exit code 0 completes the job, another one fails the attempt. A child is stopped with SIGTERM to its process group, and SIGKILL after --stop-budget. It gets no messages of "job notify". When the worker dies or loses its lease, a watchdog ends its children before another worker may start theirs; neither reaches a process that leaves the group (setsid, a daemon), so run commands in the foreground.
The pool is made if it does not exist. What happens is told on stderr, or with -o ndjson as records on stdout.
The first Ctrl-C or SIGTERM drains: jobs are handed on in order, tasks may finish for --drain-timeout, and it ends with 0. The second stops and releases them at once.`;
  static override examples = [
    '<%= config.bin %> worker start ./handler.ts --pool video --concurrency 50',
    "<%= config.bin %> worker start --exec './tenant.sh --verbose' --lease fast",
    "<%= config.bin %> worker start --exec 'ffmpeg -i - out.mp4' --task --group heavy",
    '<%= config.bin %> worker start ./handler.js --isolate --lease fast',
    '<%= config.bin %> worker start ./handler.js --until-idle -o ndjson',
  ];
  static override impact = 'write' as const;
  static override streaming = true;
  static override args = { handler: text({ description: 'Module with the handler; or use --exec' }) };
  static override flags = {
    ...poolFlags,
    exec: Flags.string({
      helpValue: 'CMD',
      description: 'Command line to run for each job, by sh; it must stay in its process group',
    }),
    task: Flags.boolean({
      description: 'With --exec: jobs are tasks, run to their end where they are, instead of services that move',
      dependsOn: ['exec'],
    }),
    isolate: Flags.boolean({
      description:
        'With HANDLER: run it in a process of its own, which is killed when a job there does not stop in time',
      exclusive: ['exec'],
    }),
    'stop-budget': duration({
      description: `Time a job has to stop, default ${formatDuration(workerOptions.stopBudgetMs.default)}; less when the lease is lost. Then with --exec and --isolate its process is killed, otherwise the worker tells of it and waits`,
    }),
    group: Flags.string({ helpValue: 'NAME', description: 'Worker group, default "default"; see pool route' }),
    concurrency: Flags.integer({
      char: 'n',
      helpValue: 'N',
      aliases: ['capacity'],
      description: `Most jobs at once, in each shard of the pool; default ${workerOptions.capacity.default}`,
    }),
    weight: Flags.string({ helpValue: 'W', description: 'Share of the jobs against the other workers, default 1' }),
    lease: Flags.string({
      options: ['default', 'fast'],
      helpValue: 'fast|default',
      description: `How soon others take over when this worker dies: ${takeOverSeconds(leasePresets.fast)} s or ${takeOverSeconds(leasePresets.default)} s; one for the whole pool`,
    }),
    shards: Flags.integer({
      helpValue: 'N',
      description:
        'Shards of a pool that is made by this; each lives in one slot of a Redis Cluster. Limits are per shard. Default 1',
    }),
    'drain-timeout': duration({
      helpValue: '60s',
      description: `How long a drain lets tasks finish, default ${formatDuration(poolNodeOptions.drainTimeoutMs.default)}`,
    }),
    'until-idle': Flags.boolean({ description: 'Drain and end when no job of its group waits and it has none' }),
    ...evictionFlags,
    ...changeFlags,
  };

  async run(): Promise<void> {
    const { group, concurrency, weight, lease, task } = this.flags;
    const handler = await chooseHandler({
      file: this.args.handler,
      command: this.flags.exec,
      task: task === true,
      stopBudgetMs: this.flags['stop-budget'],
      isolate: this.flags.isolate === true,
      // Records on stdout must not be mixed with what children write there.
      output: this.output.looks.formatGiven ? 'stderr' : 'inherit',
    });
    if (await this.planned(`start a worker in pool "${this.pool}", group "${group ?? 'default'}"`)) return;
    await runWorker({
      link: await this.connect(),
      pool: this.pool,
      node: {
        lease: lease as LeasePreset | undefined,
        shards: this.flags.shards,
        allowUnsafeEviction: this.flags['allow-unsafe-eviction'] === true,
        drainTimeoutMs: this.flags['drain-timeout'],
        version: this.config.version,
      },
      worker: {
        handler,
        group,
        capacity: concurrency,
        weight: weight === undefined ? undefined : Number(weight),
        stopBudgetMs: this.flags['stop-budget'],
      },
      untilIdle: this.flags['until-idle'] === true,
      output: this.output,
      untilInterrupted: options => this.untilInterrupted(options),
    });
    this.exitCode = EXIT.ok;
  }
}
