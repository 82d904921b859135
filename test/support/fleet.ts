import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const SCRIPT = join(import.meta.dirname, 'fleet-process.ts');

/** The small fleet of `fleet-process.ts`: pool `video`, stream `readings` with sink `fold`, map `settings`. */
export class FleetProcess {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Resolves when it is at work. */
  static async start(url: string, prefix: string): Promise<FleetProcess> {
    const child = spawn(process.execPath, [SCRIPT, url, prefix], { stdio: ['pipe', 'pipe', 'pipe'] });
    let said = '';
    let complained = '';
    child.stderr.on('data', data => {
      complained += data;
    });
    await new Promise<void>((resolve, reject) => {
      child.stdout.on('data', data => {
        said += data;
        if (said.includes('ready')) resolve();
      });
      child.once('exit', code => reject(new Error(`the fleet ended with ${code}: ${complained}`)));
    });
    return new FleetProcess(child);
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill(signal);
    await ended;
  }
}
