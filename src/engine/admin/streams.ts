/** What an operator does to streams from outside. */
export {
  planRetention,
  type Retention,
  type RetentionChange,
  type RetentionInput,
  type RetentionPlan,
  retentionOptions,
  setRetention,
} from '../streams/retention.ts';
export { createStream, removeStream, type TrimLimit, type TrimResult, trimStream } from '../streams/whole-stream.ts';
