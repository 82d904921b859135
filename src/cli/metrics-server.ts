/** Serves metrics over HTTP to whoever scrapes. Scrapes that come at once share one reading; one that fails is a 503 and why. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConflictError, OptionError } from '../engine/index.ts';
import { UsageError } from './errors.ts';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export interface MetricsText {
  readonly contentType: string;
  readonly text: string;
}

export interface MetricsServerOptions {
  read(): Promise<MetricsText>;
  /** What is said of a failed reading: to strangers, so without secrets. */
  explain(error: unknown): string;
}

const ADDRESS = /^(?:(?<host>[^:[\]]+|\[[\da-f:.]+\]):)?(?<port>\d{1,5})$/i;
const LOOPBACK = '127.0.0.1';
const MAX_PORT = 65_535;

/** @throws UsageError */
export function parseListenAddress(text: string): ListenAddress {
  const { host = LOOPBACK, port } = ADDRESS.exec(text)?.groups ?? {};
  if (port === undefined || Number(port) > MAX_PORT) {
    throw new UsageError(`"${text}" is no address to listen on`, { hint: 'Write PORT, HOST:PORT or [IPV6]:PORT.' });
  }
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

export class MetricsServer {
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server) {
    const { address, family, port } = server.address() as AddressInfo;
    this.url = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}/metrics`;
    this.#server = server;
  }

  /** @throws ConflictError when the port is taken; OptionError when the address is not of this machine, or not allowed. */
  static async open({ host, port }: ListenAddress, options: MetricsServerOptions): Promise<MetricsServer> {
    let reading: Promise<MetricsText> | undefined;
    const read = () => {
      reading ??= options.read().finally(() => {
        reading = undefined;
      });
      return reading;
    };
    const server = createServer((request, response) => {
      // The one who asked may be gone by then: there is nobody to tell.
      answer(request, response, read, options.explain).catch(() => response.destroy());
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(refusal(error, host, port)));
      server.listen(port, host, resolve);
    });
    return new MetricsServer(server);
  }

  /** Ends it at once; scrapes under way get no answer. */
  async close(): Promise<void> {
    const closed = new Promise(resolve => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}

async function answer(
  { method, url = '/' }: IncomingMessage,
  response: ServerResponse,
  read: () => Promise<MetricsText>,
  explain: (error: unknown) => string,
): Promise<void> {
  const say = (status: number, text: string, headers: Record<string, string> = {}) => {
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...headers });
    response.end(method === 'HEAD' ? undefined : text);
  };
  if (method !== 'GET' && method !== 'HEAD') return say(405, 'only GET\n', { allow: 'GET, HEAD' });
  if (url.split('?', 1)[0] !== '/metrics') return say(404, 'metrics are at /metrics\n');
  try {
    const { contentType, text } = await read();
    say(200, text, { 'content-type': contentType });
  } catch (error) {
    say(503, `${explain(error)}\n`);
  }
}

function refusal(cause: NodeJS.ErrnoException, host: string, port: number): Error {
  if (cause.code === 'EADDRINUSE') {
    return new ConflictError(`port ${port} of ${host} is taken by another program`, { cause });
  }
  return new OptionError(`cannot listen on port ${port} of ${host}: ${cause.code ?? cause.message}`, { cause });
}
