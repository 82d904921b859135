import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../cli/base-command.ts';
import { planRepair, repairPools, tellSummary } from '../cli/doctor.ts';
import { EXIT } from '../cli/exit-codes.ts';
import { changeFlags, text } from '../cli/flags.ts';
import { type BrokenPolicy, diagnose, ReadOnlyError } from '../engine/index.ts';
import { diagnosisNoun, findingNoun } from '../present/nouns/diagnosis.ts';

export default class Doctor extends BaseCommand<typeof Doctor> {
  static override summary = 'Say what is wrong, and repair what can be derived';
  static override description =
    'Checks the server, the types of keys, and that the records and indexes of pools agree, beside running workers and without ' +
    'holding them up. --repair derives queues, owned sets and counters anew from the job records. What cannot be derived (a value of ' +
    'another type, a job without its payload) it leaves, unless --broken says to set it aside or to delete it. Exit code 1 when ' +
    'something critical is found, a loss less than a lease ago included, or left after a repair.';
  static override examples = [
    '<%= config.bin %> doctor',
    '<%= config.bin %> doctor default --json',
    '<%= config.bin %> doctor default --repair --dry-run',
    '<%= config.bin %> doctor default --repair --broken set-aside --yes',
  ];
  static override args = {
    pools: text({ multiple: true, description: 'Names of the pools; left out, everything is checked' }),
  };
  static override flags = {
    repair: Flags.boolean({ description: 'Repair pools whose indexes contradict their job records; asks first' }),
    broken: Flags.string({
      options: ['keep', 'set-aside', 'delete'],
      helpValue: 'WHAT',
      description: 'What to do with what cannot be repaired: keep (default), set-aside or delete',
      dependsOn: ['repair'],
    }),
    'dry-run': Flags.boolean({ ...changeFlags['dry-run'], dependsOn: ['repair'] }),
  };

  async run(): Promise<void> {
    const { repair = false, broken = 'keep' } = this.flags;
    if (repair && this.settings.readOnly?.value) throw new ReadOnlyError('"doctor --repair"');
    const link = await this.connect({ access: repair ? 'read-write' : 'read-only' });
    const pools = this.args.pools?.length ? [...new Set(this.args.pools)] : undefined;
    const options = { pools, signal: this.interrupted };
    let diagnosis = await diagnose(link, options);
    const plan = planRepair(diagnosis, broken as BrokenPolicy);
    if (repair && (await this.planned(plan.text))) return;
    let repairs: Awaited<ReturnType<typeof repairPools>> | null = null;
    if (repair && plan.pools.length > 0) {
      await this.confirm(plan.text.charAt(0).toUpperCase() + plan.text.slice(1));
      repairs = await repairPools(link, plan.pools, broken as BrokenPolicy, this.output);
      diagnosis = await diagnose(link, options);
    }
    const { format } = this.output.looks;
    const findings = diagnosis.findings.map(finding => ({
      ...finding,
      command: finding.command === null ? null : this.located(finding.command),
    }));
    if (format === 'json' || format === 'yaml')
      await this.output.item(diagnosisNoun, { ...diagnosis, findings, repairs });
    else await this.output.list(findingNoun, findings);
    await tellSummary(diagnosis, this.output);
    if (!diagnosis.healthy) this.exitCode = EXIT.failed;
  }
}
