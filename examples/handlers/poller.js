/**
 * A handler for `ponos worker start examples/handlers/poller.js`: one poller per key, until it is stopped or moves.
 * The payload may name the interval: ponos job dispatch tenant-1 '{"everyMs":500}'
 */
const timers = new Map();

export function start(job) {
  const { everyMs = 1000 } = JSON.parse(job.payload.toString() || '{}');
  const poll = () => {
    job.assertOwned();
    console.error(`${job.key}: polled by process ${process.pid}`);
  };
  timers.set(job.key, setInterval(poll, everyMs));
}

export function stop(job) {
  clearInterval(timers.get(job.key));
  timers.delete(job.key);
}

export function notify(job, payload) {
  console.error(`${job.key}: was told ${payload.toString()}`);
}
