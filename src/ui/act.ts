/** What a person may do to a fleet from the dashboard. Data: captured when a dialog opens, shown, then carried out. */
import { cliCommand } from './cli-command.ts';

export type Act =
  | { kind: 'stop-job'; pool: string; key: string }
  | { kind: 'notify-job'; pool: string; key: string; payload: string }
  | { kind: 'drain-worker'; pool: string; worker: string }
  | { kind: 'set-map-value'; map: string; key: string; value: string; expected: string }
  | { kind: 'delete-map-key'; map: string; key: string };

export type ActOf<Kind extends Act['kind']> = Extract<Act, { kind: Kind }>;

/** An act that is possible on what is selected. */
export interface Offer {
  /** The upper-case key. */
  key: string;
  /** An act that is complete, or one that needs a text first. */
  begin: { act: Act } | { prompt: string; initial: string; make: (text: string) => Act };
  /** Why it is not possible here. */
  refused?: string;
}

export interface ActText {
  question: string;
  consequence: string;
  /** The button. */
  verb: string;
  command: string;
}

export function describeAct(act: Act): ActText {
  const command = actCommand(act);
  switch (act.kind) {
    case 'stop-job':
      return {
        question: `Stop job ${act.key} of pool ${act.pool}?`,
        consequence: 'It ends and is not started again.',
        verb: 'Stop',
        command,
      };
    case 'notify-job':
      return {
        question: `Notify job ${act.key} of pool ${act.pool}?`,
        consequence: 'Its handler gets the payload.',
        verb: 'Notify',
        command,
      };
    case 'drain-worker':
      return {
        question: `Drain worker ${act.worker} of pool ${act.pool}?`,
        consequence: 'It takes no more jobs; those it runs move to others.',
        verb: 'Drain',
        command,
      };
    case 'set-map-value':
      return {
        question: `Set key ${act.key} of map ${act.map}?`,
        consequence: 'Refused if it was changed since it was shown.',
        verb: 'Set',
        command,
      };
    case 'delete-map-key':
      return {
        question: `Delete key ${act.key} of map ${act.map}?`,
        consequence: 'It disappears from every replica. There is no undo.',
        verb: 'Delete',
        command,
      };
  }
}

/** The command line that does the same. */
export function actCommand(act: Act): string {
  switch (act.kind) {
    case 'stop-job':
      return cliCommand('job', 'stop', [act.key], { pool: act.pool });
    case 'notify-job':
      return withText(act.payload, cliCommand('job', 'notify', [act.key, act.payload], { pool: act.pool }));
    case 'drain-worker':
      return cliCommand('worker', 'drain', [act.worker], { pool: act.pool });
    case 'set-map-value':
      return withText(act.value, cliCommand('map', 'set', [act.map, act.key, act.value], { 'if-value': act.expected }));
    case 'delete-map-key':
      return cliCommand('map', 'delete', [act.map, act.key]);
  }
}

/** A dash alone stands for standard input, so a text that is one has to come from there. */
function withText(text: string, line: string): string {
  return text === '-' ? `printf %s - | ${line}` : line;
}
