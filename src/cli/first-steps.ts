/** What `ponos` alone says: how to see it work, and where to go on. */
export const FIRST_STEPS = `Ponos: replicated maps, event streams and keyed workers on Redis.

See it work
  ponos demo                                   a fleet on this machine, told step by step
  ponos dev up                                 start a local Redis; the commands then find it by themselves

Try it
  ponos map set settings interval 5s           a map every process holds a copy of
  ponos map watch settings                     see each change as it happens
  ponos stream publish readings cpu '{"load":0.4}'
  ponos stream tail readings --from oldest
  ponos worker start --exec './job.sh'         one process per job key, moved when a worker dies
  ponos job dispatch tenant-7

Look at it
  ponos dashboard                              everything, live
  ponos job list                               or worker, pool, stream, sink, map
  ponos doctor                                 what is wrong, and what to do about it

  ponos help                                   all commands
  ponos map --help                             those about maps
  ponos map set --help                         one of them, with examples
`;
