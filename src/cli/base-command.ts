/**
 * What every command stands on: its flags and settings, its output, its link to Redis, confirmations, signals, and how
 * failures are told. A command parses, calls one engine function and presents; see src/commands/map for a whole noun.
 */

import type { Interfaces } from '@oclif/core';
import { Command } from '@oclif/core/command';
import { type ConnectionSettings, resolveConnection } from '../config/connection.ts';
import { lookUp, type Sources } from '../config/lookup.ts';
import { ClosedError, ReadOnlyError, type RedisLink } from '../engine/index.ts';
import type { Noun } from '../present/columns.ts';
import { type ActRow, actNoun } from '../present/nouns/acts.ts';
import type { ConnectOptions } from './connect.ts';
import { reportError } from './error-report.ts';
import { OutputClosedError } from './errors.ts';
import { EXIT, exitCodeOf, signalExitCode } from './exit-codes.ts';
import { inFlags } from './flag-bounds.ts';
import { globalFlags } from './flags.ts';
import { resolveLooks, wantsColor } from './format.ts';
import { type GracefulOptions, Interrupt } from './interrupt.ts';
import { standardStreams } from './io.ts';
import { fromOclifError } from './oclif-errors.ts';
import { Output } from './output.ts';
import { roughSources } from './rough-sources.ts';
import { withWhereabouts } from './whereabouts.ts';

/** What a command does to the system: nothing, a change, or a loss that needs a confirmation. */
export type Impact = 'read' | 'write' | 'destroy';

export type FlagsOf<T extends typeof Command> = Interfaces.InferredFlags<typeof globalFlags & T['flags']>;
export type ArgsOf<T extends typeof Command> = Interfaces.InferredArgs<T['args']>;

const WATCH_EVERY_MS = 2000;

export abstract class BaseCommand<T extends typeof Command> extends Command {
  static override baseFlags = globalFlags;
  static override enableJsonFlag = false;
  /** A command that only reads, and a dry run of any, gets a link that cannot write. */
  static impact: Impact = 'read';
  /** True when the output has no end: `--json` then means one object per line. */
  static streaming = false;

  protected flags!: FlagsOf<T>;
  protected args!: ArgsOf<T>;
  protected output!: Output;
  /** Set it where the exit code is not the one of success, of the error or of the signal. */
  protected exitCode: number | undefined;
  readonly #interrupt = new Interrupt({ cleanUp: () => this.#cleanUp() });
  #cleanUps: (() => Promise<unknown> | unknown)[] = [];
  #settings: ConnectionSettings | undefined;

  /** Where Redis is, and where each setting came from. */
  protected get settings(): ConnectionSettings {
    this.#settings ??= resolveConnection(this.sources);
    return this.#settings;
  }

  /** Name of the pool, for commands with `poolFlags`. */
  protected get pool(): string {
    return lookUp({ flag: 'pool', env: ['PONOS_POOL'] }, this.sources)?.value ?? 'default';
  }

  protected get sources(): Sources {
    return { flags: this.flags as Record<string, unknown>, env: process.env };
  }

  /** Aborted by the first INT, TERM or HUP. */
  protected get interrupted(): AbortSignal {
    return this.#interrupt.signal;
  }

  /** The link to Redis, closed when the command ends, however it ends. */
  protected async connect(options: ConnectOptions = {}): Promise<RedisLink> {
    const settings = this.settings;
    for (const warning of settings.warnings) await this.output.warn(warning);
    const { openLink } = await import('./connect.ts');
    const access = options.access ?? (this.#impact === 'read' || this.#isDryRun ? 'read-only' : 'read-write');
    const link = await openLink(settings, {
      clientName: `ponos-${this.typed.replaceAll(' ', '-')}`,
      ...options,
      access,
    });
    this.defer(() => link.close());
    return link;
  }

  /** Registers something to be ended when the command ends, last first. */
  protected defer(end: () => Promise<unknown> | unknown): void {
    this.#cleanUps.push(end);
  }

  /** @throws NotConfirmedError unless the user agrees. `action` says what would be done: `Remove stream "x"`. */
  protected async confirm(action: string): Promise<void> {
    const { confirm } = await import('./confirm.ts');
    const { yes, input } = this.flags as { yes?: boolean; input?: boolean };
    await confirm(action, {
      yes: yes === true,
      noInput: input === false || Boolean(process.env.PONOS_NO_INPUT),
      input: process.stdin,
      output: process.stderr,
      signal: this.interrupted,
    });
  }

  /**
   * With `--dry-run` says the plan and returns true: `if (await this.planned('remove stream "x"')) return;`. `look` throws
   * what doing it would, as far as reading tells: what cannot be done is no plan. What it gives, if it is a text, is the plan.
   */
  protected async planned(plan: string, look?: () => Promise<unknown>): Promise<boolean> {
    if (!this.#isDryRun) return false;
    const seen = await look?.();
    await this.output.item(planNoun, { plan: typeof seen === 'string' ? seen : plan });
    return true;
  }

  /** `planned` for some things of many: one that fails is told, and ends the command as doing it would. */
  protected async plannedEach<Thing>(
    things: readonly Thing[],
    look: (thing: Thing) => Promise<unknown>,
    words: (possible: readonly Thing[]) => string,
  ): Promise<boolean> {
    if (!this.#isDryRun) return false;
    const [{ lookAtEach }, { throwFailures }] = await Promise.all([import('./look-each.ts'), import('./failures.ts')]);
    const { possible, sum } = await lookAtEach(things, look, this.output);
    if (possible.length > 0 || things.length === 0) await this.output.item(planNoun, { plan: words(possible) });
    throwFailures(sum);
    return true;
  }

  /** Ends a command that has nothing to show but that it was done: a sentence for people, an item for programs. */
  protected async done(sentence: string, name: string, details: Omit<ActRow, 'act' | 'name'> = {}): Promise<void> {
    const { format } = this.output.looks;
    if (format !== 'table' && format !== 'wide') {
      await this.output.item(actNoun, { act: this.ctor.id.replaceAll(':', ' '), name, ...details });
    }
    await this.output.note(sentence);
  }

  /** For a command that runs until told to stop: the first signal aborts what is returned, the second ends the process. */
  protected untilInterrupted(options?: GracefulOptions): AbortSignal {
    return AbortSignal.any([this.#interrupt.graceful(options), this.output.stdout.closed]);
  }

  /** Shows once, or with `--watch` again and again until interrupted. */
  protected async show(look: () => Promise<void>): Promise<void> {
    const { watch, every } = this.flags as { watch?: boolean; every?: number };
    if (!watch) return look();
    const { watchLoop } = await import('./watch.ts');
    await watchLoop(look, this.output, every ?? WATCH_EVERY_MS, this.untilInterrupted());
  }

  override async init(): Promise<void> {
    this.#interrupt.install();
    // Looks of a command line that cannot be parsed: as far as it can be told.
    this.output = this.#createOutput(roughSources(this.argv));
    const { flags, args } = await this.parse({
      flags: this.ctor.flags,
      baseFlags: globalFlags,
      args: this.ctor.args,
      strict: this.ctor.strict,
    });
    this.flags = flags as FlagsOf<T>;
    this.args = args as ArgsOf<T>;
    this.output = this.#createOutput(this.sources);
    if (this.#impact !== 'read' && this.settings.readOnly?.value) throw new ReadOnlyError(`"${this.typed}"`);
  }

  override async catch(thrown: unknown): Promise<void> {
    const error = inFlags(fromOclifError(thrown, this.ctor), this.flags ?? {});
    if (error instanceof OutputClosedError) this.exitCode = EXIT.ok;
    else if (this.#interrupt.received && isEcho(error)) this.exitCode = signalExitCode(this.#interrupt.received);
    else {
      const { looks, stderr } = this.output;
      const report = reportError(error, {
        command: this.typed,
        settings: this.#settings,
        flags: this.flags ?? {},
        commands: this.#flagsByCommand(),
        json: looks.format === 'json' || looks.format === 'ndjson',
        color: wantsColor(looks, stderr.isTerminal),
      });
      await stderr.write(report).catch(() => undefined);
      if (process.env.PONOS_DEBUG) await this.#tellStack(error);
      this.exitCode = exitCodeOf(error);
    }
  }

  override async finally(error: Error | undefined): Promise<void> {
    await this.#cleanUp();
    this.#interrupt.dispose();
    const received = this.#interrupt.received;
    process.exitCode = this.exitCode ?? (received && !error ? signalExitCode(received) : EXIT.ok);
  }

  /** A command line to suggest: it looks where this one looked. */
  protected readonly located = (line: string): string =>
    withWhereabouts(line, { flags: this.flags, commands: this.#flagsByCommand() });

  /** The command as typed: `map get`. */
  protected get typed(): string {
    return (this.id ?? '').replaceAll(':', ' ');
  }

  #flagsByCommand(): Map<string, string[]> {
    const { config } = this;
    return new Map(
      config.commandIDs.map(id => [id.replaceAll(':', ' '), Object.keys(config.findCommand(id)?.flags ?? {})]),
    );
  }

  get #isDryRun(): boolean {
    return (this.flags as { 'dry-run'?: boolean })['dry-run'] === true;
  }

  get #impact(): Impact {
    return (this.ctor as unknown as typeof BaseCommand).impact;
  }

  #createOutput(sources: Sources): Output {
    const streams = standardStreams();
    const looks = resolveLooks(sources, (this.ctor as unknown as typeof BaseCommand).streaming);
    looks.watching = sources.flags.watch === true;
    // A log of tables is of no use to a program, and no person reads it.
    if (looks.watching && !looks.formatGiven && !streams.stdout.isTerminal) looks.format = 'ndjson';
    return new Output({ looks, ...streams });
  }

  async #tellStack(error: unknown): Promise<void> {
    const { redact } = await import('./redact.ts');
    const stack = error instanceof Error ? (error.stack ?? '') : String(error);
    await this.output.note(redact(stack, [this.#settings?.password?.value]));
  }

  async #cleanUp(): Promise<void> {
    const ends = this.#cleanUps.reverse();
    this.#cleanUps = [];
    for (const end of ends) {
      try {
        await end();
      } catch {
        // The command's own outcome counts; what could not be closed goes with the process.
      }
    }
  }
}

const planNoun: Noun<{ plan: string }> = { kind: 'Plan', columns: [{ header: 'WOULD', value: row => row.plan }] };

/** What an interrupted command throws because it was interrupted. */
function isEcho(error: unknown): boolean {
  return (
    error instanceof ClosedError ||
    (error instanceof Error && (error.name === 'AbortError' || /^SIG[A-Z]+$/.test(error.message)))
  );
}
