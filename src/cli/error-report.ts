/** How a failure is told on stderr: what happened, why, what to type next. Never a stack, a secret or the command line. */
import { NotReplicatedError, PonosError } from '../engine/index.ts';
import { safeJson, safeText } from '../present/safe-text.ts';
import { displayWidth, padText } from '../present/width.ts';
import { type AdviceContext, adviseOn } from './advice.ts';
import { exitCodeOf } from './exit-codes.ts';
import { redact } from './redact.ts';

export interface ReportOptions extends AdviceContext {
  json: boolean;
  color: boolean;
}

/** The lines to write, with their line feeds. */
export function reportError(error: unknown, options: ReportOptions): string {
  const secrets = [options.settings?.password?.value];
  const clean = (text: string) => safeText(redact(text, secrets));
  const advice = adviseOn(error, options);
  const code = error instanceof PonosError ? error.code : 'UNEXPECTED';
  const message = clean(messageOf(error));
  const hint = error instanceof PonosError && error.hint ? clean(error.hint) : undefined;
  const exitCode = exitCodeOf(error);
  const why = advice.why.map(clean);
  if (options.json) {
    const next = advice.next.map(([command]) => clean(command));
    // One that was made up is known from nowhere else.
    const id = error instanceof NotReplicatedError ? error.id : undefined;
    return `${safeJson({ error: { code, message, id, why: why.join('; ') || undefined, hint, next, exitCode } })}\n`;
  }
  const width = Math.max(0, ...advice.next.map(([command]) => displayWidth(command)));
  const blocks: [string, string[]][] = [
    ['Why', why],
    ['Hint', hint ? [hint] : []],
    ['Try', advice.next.map(([command, purpose]) => `${padText(clean(command), width)}  ${purpose}`)],
    ['Code', [`${code}, exit ${exitCode}`]],
  ];
  const head = options.color ? `\u001b[1;31mError:\u001b[0m ${message}` : `Error: ${message}`;
  const body = blocks.flatMap(([label, lines]) =>
    lines.map((line, at) => `  ${(at === 0 ? label : '').padEnd(4)}  ${line}`),
  );
  return `${[head, ...body].join('\n')}\n`;
}

function messageOf(error: unknown): string {
  if (error instanceof PonosError) return error.message;
  const message = error instanceof Error ? error.message : String(error);
  return `unexpected failure, a defect of ponos: ${message.split('\n')[0]}`;
}
