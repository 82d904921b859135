/** The same work in Redis as the engine has it done: its own script, sent by the plain client, and messages read and no more. */
import { setScript } from '../../../src/engine/maps/scripts.gen.ts';
import { scriptOperands } from '../../../src/engine/redis/script.ts';
import { CHANNEL, DATA, plainSide } from './plain.ts';

const NEWLINE = 10;
const LIMIT = 2 ** 30;

export const { open, set, setPaced, end, join, endedAtUs, forget, ages, gets } = plainSide({
  script: setScript.source,
  operands: (key, value, n, lane) =>
    scriptOperands(
      setScript,
      { data: DATA, meta: '{raw}:meta', ops: '{raw}:ops' },
      {
        changes: CHANNEL,
        lane: `client.${lane}`,
        sequence: String(n).padStart(12, '0'),
        known: '',
        ttl: 0,
        ttlMode: 'absolute',
        maxEntries: LIMIT,
        maxBytes: LIMIT * 4,
        maxValueBytes: LIMIT,
        key,
        value,
        condition: 'any',
        expected: '',
      },
    ) as (string | number)[],
  parse(message) {
    const start = message.indexOf(NEWLINE) + 1;
    const [, , , , kind, size] = message.toString('latin1', 0, start - 1).split(' ');
    const split = start + Number(size);
    return {
      key: message.toString('utf8', start, split),
      value: kind === 'set' ? message.toString('utf8', split) : undefined,
    };
  },
});
