/** 64 bits as two unsigned halves. */
export interface Hash64 {
  readonly high: number;
  readonly low: number;
}

const SEEDS = { high: 0x9747b28c, low: 0x5bd1e995 } as const;

/** Hash of the UTF-8 of a text or of bytes; every process computes the same. */
export function hash64(value: string | Uint8Array): Hash64 {
  const bytes = typeof value === 'string' ? asBytes(value) : value;
  return { high: murmur32(bytes, SEEDS.high), low: murmur32(bytes, SEEDS.low) };
}

/** Which of `count` shards a job key belongs to. */
export function shardIndex(job: Hash64, count: number): number {
  // Not the halves as they are: placement ranks workers by them, and a shard must not change a worker's share.
  return count === 1 ? 0 : finish32(job.high ^ Math.imul(job.low, 0x9e3779b1)) % count;
}

/** Texts of plain ASCII, nearly all keys, need no encoder. */
function asBytes(text: string): ArrayLike<number> & { length: number } {
  const codes = new Array<number>(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return Buffer.from(text, 'utf8');
    codes[i] = code;
  }
  return codes;
}

/** MurmurHash3 x86 32 bit. Source: A. Appleby, MurmurHash3.cpp, public domain. */
function murmur32(bytes: ArrayLike<number>, seed: number): number {
  const blockEnd = bytes.length & ~3;
  let hash = seed;
  for (let i = 0; i < blockEnd; i += 4) {
    const block = at(bytes, i) | (at(bytes, i + 1) << 8) | (at(bytes, i + 2) << 16) | (at(bytes, i + 3) << 24);
    hash ^= scramble(block);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  let rest = 0;
  for (let i = bytes.length - 1; i >= blockEnd; i--) rest = (rest << 8) | at(bytes, i);
  if (bytes.length > blockEnd) hash ^= scramble(rest);
  return finish32(hash ^ bytes.length);
}

function at(bytes: ArrayLike<number>, index: number): number {
  return bytes[index] as number;
}

function scramble(block: number): number {
  const mixed = Math.imul(block, 0xcc9e2d51);
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
}

/** The finaliser of MurmurHash3: every bit of the input changes about half of the output. */
export function finish32(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
