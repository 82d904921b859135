import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../cli/base-command.ts';
import { ANSWER_MS, once, requireTerminal, runLive } from '../cli/dashboard.ts';
import { UsageError } from '../cli/errors.ts';
import { duration } from '../cli/flags.ts';
import { wantsColor } from '../cli/format.ts';
import { lookUp } from '../config/lookup.ts';
import { FleetObserver, type RedisLink } from '../engine/index.ts';
import { fleetNoun } from '../present/nouns/fleet.ts';
import { type ThemeName, themeNames } from '../ui/paint/theme.ts';
import type { ViewId } from '../ui/view.ts';
import { tabs } from '../ui/views/index.ts';

/** Size of a frame that is printed where there is no terminal. */
const ONCE = { columns: 120, rows: 40 };

export default class Dashboard extends BaseCommand<typeof Dashboard> {
  static override summary = 'See the fleet live, and act on it';
  static override description =
    'Looks on without joining: reads little, and writes nothing unless a key in upper case is pressed and confirmed. Keeps the last data when Redis is away. "?" shows the keys.';
  static override examples = [
    '<%= config.bin %> dashboard',
    '<%= config.bin %> dashboard --view jobs --pool video --read-only',
    '<%= config.bin %> dashboard --once --color never > fleet.txt',
  ];
  static override flags = {
    view: Flags.string({ options: tabs.map(tab => tab.view), description: 'Where to begin, default overview' }),
    pool: Flags.string({ char: 'p', helpValue: 'NAME', description: 'Pool to begin with [env: PONOS_POOL]' }),
    refresh: duration({ description: 'Shortest time between two looks, default 1s' }),
    theme: Flags.string({ options: themeNames, description: 'Colours, default those of the terminal [env: NO_COLOR]' }),
    once: Flags.boolean({ description: 'Print one frame and end; needs no terminal' }),
  };

  async run(): Promise<void> {
    const { once: prints, refresh: refreshMs } = this.flags;
    if (!prints) this.#requireTerminal();
    const stop = this.untilInterrupted();
    const link = await this.connect({
      access: 'read-only',
      clientName: 'ponos-dashboard',
      timeoutMs: this.settings.timeoutMs?.value ?? ANSWER_MS,
    });
    if (prints) return this.#printOnce(link, stop);
    const writer = once(() => this.#openWriter());
    const openWriter = this.settings.readOnly?.value ? undefined : writer.get;
    await runLive({ link, openWriter, refreshMs, options: this.#looks() });
  }

  /** Without a word on stderr: the screen is the dashboard's. */
  async #openWriter(): Promise<RedisLink> {
    const { openLink } = await import('../cli/connect.ts');
    const link = await openLink(this.settings, { access: 'read-write', clientName: 'ponos-dashboard-act' });
    this.defer(() => link.close());
    return link;
  }

  async #printOnce(link: RedisLink, stop: AbortSignal): Promise<void> {
    const [{ renderOnce }, { firstFrame }] = await Promise.all([
      import('../ui/once.ts'),
      import('../cli/dashboard/first-frame.ts'),
    ]);
    const observer = FleetObserver.watch(link);
    this.defer(() => observer.close());
    const { looks, stdout } = this.output;
    const { columns = ONCE.columns } = stdout;
    const { view = 'overview', pool, ...rest } = this.#looks();
    const fleet = await firstFrame(observer, { view, pool, rows: ONCE.rows }, stop);
    if (looks.format !== 'table' && looks.format !== 'wide') return this.output.item(fleetNoun, fleet);
    const color = wantsColor(looks, stdout.isTerminal);
    const text = renderOnce(fleet, { ...ONCE, columns, view, pool, ...rest, color, nowMs: Date.now() });
    await stdout.write(text);
  }

  #looks() {
    const { view, theme } = this.flags;
    const { ascii, color } = this.output.looks;
    return {
      view: view as ViewId | undefined,
      pool: lookUp({ flag: 'pool', env: ['PONOS_POOL'] }, this.sources)?.value,
      theme: (theme ?? (color === 'never' ? 'mono' : 'default')) as ThemeName,
      ascii,
      located: this.located,
    };
  }

  #requireTerminal(): void {
    const { output, json, raw } = this.flags;
    if (output || json || raw) {
      throw new UsageError('the dashboard draws on a terminal and has no output format', {
        suggestions: [['ponos dashboard --once --json', 'the fleet as it is now, for a program']],
      });
    }
    requireTerminal();
  }
}
