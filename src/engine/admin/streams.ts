/** What an operator does to streams from outside. */
export { removeStream, type TrimLimit, type TrimResult, trimStream } from '../streams/stream.ts';
