import type { Adapter, AdapterPayload } from 'oidc-provider';
import { nowSeconds } from '../src/shared/clock.ts';

/**
 * The store of the bare peer: plain Maps without a bound and without JSON, so that what is measured is the protocol
 * library and nothing else. (The library's own memory store forgets after a thousand entries.) Nothing expires and
 * `consume` is no compare-and-set: it is the cheapest store there can be, not a correct one.
 */
export class MapAdapter implements Adapter {
  readonly #rows = new Map<string, AdapterPayload>();
  readonly #byUid = new Map<string, string>();
  readonly #byGrant = new Map<string, Set<string>>();

  async upsert(id: string, payload: AdapterPayload): Promise<void> {
    this.#rows.set(id, payload);
    if (payload.uid !== undefined) this.#byUid.set(payload.uid, id);
    if (payload.grantId === undefined) return;
    const siblings = this.#byGrant.get(payload.grantId);
    if (siblings) siblings.add(id);
    else this.#byGrant.set(payload.grantId, new Set([id]));
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    return this.#rows.get(id);
  }

  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    const id = this.#byUid.get(uid);
    return id === undefined ? undefined : this.#rows.get(id);
  }

  async findByUserCode(): Promise<undefined> {
    return undefined;
  }

  async consume(id: string): Promise<void> {
    const row = this.#rows.get(id);
    if (row) row.consumed = nowSeconds();
  }

  async destroy(id: string): Promise<void> {
    const row = this.#rows.get(id);
    this.#rows.delete(id);
    if (row?.uid !== undefined && this.#byUid.get(row.uid) === id) this.#byUid.delete(row.uid);
    if (row?.grantId !== undefined) this.#byGrant.get(row.grantId)?.delete(id);
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    for (const id of this.#byGrant.get(grantId) ?? []) this.#rows.delete(id);
    this.#byGrant.delete(grantId);
  }
}
