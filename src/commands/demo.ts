import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../cli/base-command.ts';
import { demoReportNoun } from '../present/nouns/demo.ts';

export default class Demo extends BaseCommand<typeof Demo> {
  static override summary = 'Show a real fleet at work on this machine, and measure it';
  static override description =
    'Starts a Redis of its own and worker processes, gives each CPU, disk, network interface and larger process of this machine a job of its own, changes their interval live, kills a worker, lets one join and one leave, and says what was measured. Ends with 0 only if everything held. Nothing is left behind.';
  static override examples = [
    '<%= config.bin %> demo',
    '<%= config.bin %> demo --dashboard',
    '<%= config.bin %> demo --json',
  ];
  static override impact = 'write' as const;
  static override flags = {
    dashboard: Flags.boolean({ description: 'Show it in the dashboard; needs a terminal' }),
  };

  async run(): Promise<void> {
    const { runDemo } = await import('../cli/demo/run.ts');
    const forPeople = this.output.looks.format === 'table' || this.output.looks.format === 'wide';
    const report = await runDemo({
      root: this.config.root,
      signal: this.untilInterrupted(),
      defer: end => this.defer(end),
      say: forPeople ? line => this.output.line(line) : line => this.output.note(line),
      dashboard: this.flags.dashboard,
    });
    if (!forPeople) await this.output.item(demoReportNoun, report);
    if (!report.held) this.exitCode = 1;
  }
}
