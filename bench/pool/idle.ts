/** What a worker costs while nothing happens. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Row, Section } from '../support/report.ts';
import type { BenchServer } from '../support/server.ts';
import type { SectionOptions } from '../support/suite.ts';
import { Trial } from './trial.ts';

export async function idle(server: BenchServer, { quick, onProgress }: SectionOptions): Promise<Section[]> {
  const rows: Row[] = [];
  for (const jobs of [10, 10_000]) {
    onProgress(`idle: ${jobs} jobs`);
    const trial = await Trial.start(server, 'ponos');
    try {
      await trial.client.call('fill', jobs);
      // The client looks at the members now and then: without it, only the worker is left.
      await trial.client.call('close');
      const { spent } = await trial.spend(() => wait(quick ? 5000 : 20_000));
      rows.push({
        jobs,
        scriptsPerSecond: spent.scriptCount / spent.seconds,
        commandsPerSecond: spent.commandCount / spent.seconds,
        redisCpuUs: spent.redisCpuUs / spent.seconds,
        workerCpuUs: spent.workerCpuUs / spent.seconds,
      });
    } finally {
      await trial.end();
    }
  }
  return [
    {
      name: 'idle',
      title: 'One worker for one second without work',
      columns: [
        { key: 'jobs', header: 'jobs' },
        { key: 'scriptsPerSecond', header: 'scripts', digits: 1 },
        { key: 'commandsPerSecond', header: 'commands inside too', digits: 1 },
        { key: 'redisCpuUs', header: 'redis CPU us' },
        { key: 'workerCpuUs', header: "worker's CPU us" },
      ],
      rows,
      notes: ['redis CPU includes the ten turns a second that an idle redis-server makes anyway'],
    },
  ];
}
