/**
 * What the demonstration watches: the machine it runs on. Each CPU, disk, network interface and larger process is one
 * source with a key of its own, read from /proc, or from what Node and `ps` know where there is no /proc.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { cpus, networkInterfaces } from 'node:os';

export type SourceKind = 'cpu' | 'disk' | 'net' | 'process';

/** Counters since boot or start, or present amounts; which ones depends on the kind. Times in ms, sizes in bytes. */
export type Reading = Record<string, number>;

export interface Source {
  /** `<kind>/<name>`, e.g. `cpu/0`, `disk/vda`, `net/eth0`, `process/1`. */
  key: string;
  kind: SourceKind;
  name: string;
}

const MOST_PER_KIND: Record<SourceKind, number> = { cpu: 8, disk: 8, net: 6, process: 12 };
/** Clock ticks of /proc are hundredths of a second on every Linux a program can meet. */
const TICK_MS = 10;
const SECTOR_BYTES = 512;
const PAGE_BYTES = 4096;

const onLinux = existsSync('/proc/stat');

/** Every source there is now; at most a handful of each kind, the larger processes first. */
export function discoverSources(): Source[] {
  const found: Record<SourceKind, string[]> = onLinux
    ? { cpu: linuxCpus(), disk: linuxDisks(), net: [...linuxInterfaces().keys()], process: linuxProcesses() }
    : {
        cpu: cpus().map((_, index) => String(index)),
        disk: ['root'],
        net: Object.keys(networkInterfaces()),
        process: psProcesses(),
      };
  return (Object.keys(found) as SourceKind[]).flatMap(kind =>
    found[kind].slice(0, MOST_PER_KIND[kind]).map(name => ({ key: `${kind}/${name}`, kind, name })),
  );
}

export function parseSource(key: string): Source {
  const slash = key.indexOf('/');
  return { key, kind: key.slice(0, slash) as SourceKind, name: key.slice(slash + 1) };
}

/** Reads one source. `null` when it is gone, as a process that ended. */
export function readSource(source: Source): Reading | null {
  try {
    return onLinux ? LINUX[source.kind](source.name) : ELSEWHERE[source.kind](source.name);
  } catch {
    return null;
  }
}

const LINUX: Record<SourceKind, (name: string) => Reading | null> = {
  cpu(name) {
    const line = new RegExp(`^cpu${name} (.*)$`, 'm').exec(readFileSync('/proc/stat', 'utf8'))?.[1];
    if (!line) return null;
    const [user = 0, nice = 0, system = 0, idle = 0, waiting = 0] = line.split(' ').map(Number);
    return { busyMs: (user + nice + system) * TICK_MS, idleMs: (idle + waiting) * TICK_MS };
  },
  disk(name) {
    const line = diskLines().find(fields => fields[2] === name);
    return line ? { readBytes: Number(line[5]) * SECTOR_BYTES, writtenBytes: Number(line[9]) * SECTOR_BYTES } : null;
  },
  net(name) {
    const fields = linuxInterfaces().get(name);
    return fields ? { receivedBytes: fields[0] ?? 0, sentBytes: fields[8] ?? 0 } : null;
  },
  process(name) {
    // The command name in parentheses may hold spaces, so fields are counted from behind it.
    const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const pages = Number(readFileSync(`/proc/${name}/statm`, 'utf8').split(' ')[1]);
    return { cpuMs: ((fields[11] ?? 0) + (fields[12] ?? 0)) * TICK_MS, residentBytes: pages * PAGE_BYTES };
  },
};

const ELSEWHERE: Record<SourceKind, (name: string) => Reading | null> = {
  cpu(name) {
    const times = cpus()[Number(name)]?.times;
    return times ? { busyMs: times.user + times.nice + times.sys, idleMs: times.idle } : null;
  },
  disk() {
    const disk = statfsSync('/');
    return { totalBytes: disk.blocks * disk.bsize, freeBytes: disk.bavail * disk.bsize };
  },
  net(name) {
    const addresses = networkInterfaces()[name];
    return addresses ? { addressCount: addresses.length } : null;
  },
  process(name) {
    const [rss = '', seconds = ''] = execFileSync('ps', ['-o', 'rss=,time=', '-p', name], { encoding: 'utf8' })
      .trim()
      .split(/\s+/);
    const [minutes = 0, rest = 0] = seconds.split(':').slice(-2).map(Number);
    return { residentBytes: Number(rss) * 1024, cpuMs: (minutes * 60 + rest) * 1000 };
  },
};

function linuxCpus(): string[] {
  return [...readFileSync('/proc/stat', 'utf8').matchAll(/^cpu(\d+) /gm)].map(match => match[1] as string);
}

function diskLines(): string[][] {
  if (!existsSync('/proc/diskstats')) return [];
  return readFileSync('/proc/diskstats', 'utf8')
    .trim()
    .split('\n')
    .map(line => line.trim().split(/\s+/));
}

function linuxDisks(): string[] {
  return diskLines()
    .filter(fields => fields[2] && !/^(loop|ram|zram)/.test(fields[2]) && Number(fields[3]) + Number(fields[7]) > 0)
    .map(fields => fields[2] as string);
}

function linuxInterfaces(): Map<string, number[]> {
  const interfaces = new Map<string, number[]>();
  for (const line of readFileSync('/proc/net/dev', 'utf8').split('\n').slice(2)) {
    const colon = line.indexOf(':');
    if (colon > 0)
      interfaces.set(
        line.slice(0, colon).trim(),
        line
          .slice(colon + 1)
          .trim()
          .split(/\s+/)
          .map(Number),
      );
  }
  return interfaces;
}

function linuxProcesses(): string[] {
  const sizes = readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(name => ({ name, resident: residentBytes(name) }))
    .filter(entry => entry.resident > 0);
  return sizes.sort((a, b) => b.resident - a.resident).map(entry => entry.name);
}

function residentBytes(name: string): number {
  try {
    return LINUX.process(name)?.residentBytes ?? 0;
  } catch {
    return 0;
  }
}

function psProcesses(): string[] {
  const lines = execFileSync('ps', ['-axo', 'rss=,pid='], { encoding: 'utf8' }).trim().split('\n');
  const pairs = lines.map(line => line.trim().split(/\s+/).map(Number));
  return pairs.sort((a, b) => (b[0] ?? 0) - (a[0] ?? 0)).map(pair => String(pair[1]));
}
