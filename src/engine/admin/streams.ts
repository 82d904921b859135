/** What an operator does to streams from outside. */
export {
  type Retention,
  type RetentionChange,
  type RetentionInput,
  retentionOptions,
  setRetention,
} from '../streams/retention.ts';
export { createStream, removeStream, type TrimLimit, type TrimResult, trimStream } from '../streams/whole-stream.ts';
