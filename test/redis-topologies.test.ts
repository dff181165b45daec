import { setTimeout as sleep } from 'node:timers/promises';
import { artifactSuite, overRedis } from './support/artifact-suite.ts';
import { counterSuite, countersOverRedis } from './support/counter-suite.ts';
import { ownRedisTest, startCluster, startSentinel } from './support/redis-servers.ts';

// What one server owes, owed by three that share the keys, and by a primary that Sentinels name.
const cluster = ownRedisTest((t) => startCluster(t));
artifactSuite(cluster.test, 'redis cluster and sqlite', (t) => overRedis(t, cluster.options()));
counterSuite(cluster.test, 'redis cluster', (t) => countersOverRedis(t, cluster.options()), sleep);

const sentinel = ownRedisTest((t) => startSentinel(t));
artifactSuite(sentinel.test, 'redis behind sentinel and sqlite', (t) => overRedis(t, sentinel.options()));
