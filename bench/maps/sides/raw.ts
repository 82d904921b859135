/** The least: the entry and a revision are written, and both are published. */
import { CHANNEL, DATA, plainSide } from './plain.ts';

const SCRIPT = `
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
local revision = redis.call('HINCRBY', KEYS[2], 'revision', 1)
if #ARGV[2] > 65536 then
  redis.call('SPUBLISH', KEYS[3], revision .. ' ' .. #ARGV[1] .. ' fetch\\n' .. ARGV[1])
else
  redis.call('SPUBLISH', KEYS[3], revision .. ' ' .. #ARGV[1] .. ' set\\n' .. ARGV[1] .. ARGV[2])
end
return revision`;
const NEWLINE = 10;

export const { open, set, setPaced, end, join, endedAtUs, forget, ages, gets } = plainSide({
  script: SCRIPT,
  operands: (key, value) => [3, DATA, '{raw}:meta', CHANNEL, key, value],
  parse(message) {
    const start = message.indexOf(NEWLINE) + 1;
    const [, size, kind] = message.toString('latin1', 0, start - 1).split(' ');
    const split = start + Number(size);
    return {
      key: message.toString('utf8', start, split),
      value: kind === 'set' ? message.toString('utf8', split) : undefined,
    };
  },
});
