import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A name that is moved from one server to another, as `db.internal` is: a port of loopback that leads to a port. */
export interface MovingName {
  readonly port: number;
  /** Leads there from now on; what was open is cut, as it is when a machine dies. `undefined`: nowhere. */
  readonly pointTo: (port: number | undefined) => void;
  readonly close: () => Promise<void>;
}

export async function startMovingName(first: number): Promise<MovingName> {
  const open = new Set<Socket>();
  let target: number | undefined = first;
  const listener = createServer((near) => {
    if (target === undefined) return void near.destroy();
    const far = connect(target, '127.0.0.1');
    near.setNoDelay(true);
    far.setNoDelay(true);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        to.destroy();
        open.delete(from);
      });
    }
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const cut = (): void => {
    for (const socket of open) socket.destroy();
  };
  return {
    port: (listener.address() as AddressInfo).port,
    pointTo(port) {
      target = port;
      cut();
    },
    async close() {
      cut();
      listener.close();
      await once(listener, 'close');
    },
  };
}
