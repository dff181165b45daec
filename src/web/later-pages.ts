import type Router from '@koa/router';
import type { Context, Middleware, Next } from 'koa';

/** Asks one router after the other; whatever none of them knows goes on to `next`. */
export function routersInTurn(routers: readonly Router[], last?: Middleware): Middleware {
  const stack = [...routers.map((router) => router.routes() as unknown as Middleware), ...(last ? [last] : [])];
  return (ctx, next) => {
    const dispatch = (at: number): Promise<unknown> => {
      const middleware = stack[at];
      return middleware ? Promise.resolve(middleware(ctx, () => dispatch(at + 1))) : next();
    };
    return dispatch(0);
  };
}

/** Pages whose routers are made when the first of them is asked for. What `load` fails of is told to whoever asked; the next one tries again. */
export function laterPages(load: () => Promise<readonly Router[]>): Middleware {
  let made: Promise<Middleware> | undefined;
  return async (ctx: Context, next: Next) => {
    made ??= load().then(
      (routers) => routersInTurn(routers),
      (error: unknown) => {
        made = undefined;
        throw error;
      },
    );
    return (await made)(ctx, next);
  };
}
