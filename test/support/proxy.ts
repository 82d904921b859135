/**
 * A TCP proxy in front of a Redis (or anything else), whose behaviour can be changed while connections are open:
 *
 * - `pass`: bytes go both ways;
 * - `swallow`: requests arrive, replies are lost; what a network does that breaks one way;
 * - `blackhole`: nothing goes either way, and no end of a connection is seen; new connections open and stay silent;
 * - `refuse`: open connections are cut and new ones too.
 *
 * Bytes lost cannot come back, so a connection that lost some is cut when the mode returns to `pass`; one that only waited in a
 * blackhole too, as after a long partition. `delayMs` holds every byte towards the client for a time.
 */
import { type AddressInfo, createServer, connect as openSocket, type Server, type Socket } from 'node:net';

export type ProxyMode = 'pass' | 'swallow' | 'blackhole' | 'refuse';

interface Pair {
  client: Socket;
  upstream: Socket;
  /** Bytes were lost: the two ends no longer agree. */
  tainted: boolean;
  /** What is delayed, in its order: nothing overtakes it, however short the delay is by now. */
  held: { bytes: Buffer; dueMs: number }[];
}

export class TcpProxy {
  /** Holds every byte towards the client for this long. */
  delayMs = 0;
  /** Looks at, changes or (with undefined) eats bytes towards the client. */
  filter: ((bytes: Buffer) => Buffer | undefined) | undefined;
  readonly #server: Server;
  #targetPort: number;
  readonly #pairs = new Set<Pair>();
  #mode: ProxyMode = 'pass';

  private constructor(server: Server, targetPort: number) {
    this.#server = server;
    this.#targetPort = targetPort;
    server.on('connection', client => this.#accept(client));
  }

  static async start(targetPort: number): Promise<TcpProxy> {
    const server = createServer();
    const proxy = new TcpProxy(server, targetPort);
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Address of a Redis behind it. */
  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get connectionCount(): number {
    return this.#pairs.size;
  }

  get mode(): ProxyMode {
    return this.#mode;
  }

  set mode(mode: ProxyMode) {
    this.#mode = mode;
    if (mode === 'refuse') this.cut();
    for (const pair of this.#pairs) {
      if (mode === 'pass' && pair.tainted) end(pair);
      else if (mode === 'blackhole') pair.tainted = true;
    }
  }

  /** Leads new connections somewhere else from now on; those that are open stay. */
  leadTo(port: number): void {
    this.#targetPort = port;
  }

  /** Ends every open connection; new ones are accepted as the mode says. */
  cut(): void {
    for (const pair of [...this.#pairs]) end(pair);
  }

  async stop(): Promise<void> {
    const closed = new Promise(resolve => this.#server.close(resolve));
    this.cut();
    await closed;
  }

  #accept(client: Socket): void {
    if (this.#mode === 'refuse') {
      client.on('error', () => {});
      client.destroy();
      return;
    }
    const upstream = openSocket(this.#targetPort, '127.0.0.1');
    const pair: Pair = { client, upstream, tainted: this.#mode === 'blackhole', held: [] };
    this.#pairs.add(pair);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => {
        // In a blackhole the end of one side is not told to the other, until the mode changes.
        if (this.#mode === 'blackhole') return;
        this.#pairs.delete(pair);
        other.destroy();
      });
    }
    client.on('data', bytes => {
      if (this.#mode === 'blackhole') return;
      upstream.write(bytes);
    });
    upstream.on('data', bytes => this.#towardsClient(pair, bytes));
  }

  #towardsClient(pair: Pair, bytes: Buffer): void {
    if (this.#mode === 'swallow' || this.#mode === 'blackhole') {
      pair.tainted = true;
      return;
    }
    const passed = this.filter ? this.filter(bytes) : bytes;
    if (!passed) return;
    if (this.delayMs === 0 && pair.held.length === 0) pair.client.write(passed);
    else if (pair.held.push({ bytes: passed, dueMs: performance.now() + this.delayMs }) === 1) release(pair);
  }
}

/** The first of what is held, in its time, then the next. */
function release(pair: Pair): void {
  const [first] = pair.held;
  if (!first) return;
  const pass = () => {
    if (pair.client.destroyed) return;
    pair.client.write(first.bytes);
    pair.held.shift();
    release(pair);
  };
  setTimeout(pass, Math.max(0, first.dueMs - performance.now()));
}

function end(pair: Pair): void {
  pair.client.destroy();
  pair.upstream.destroy();
}
