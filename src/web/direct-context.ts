import type Koa from 'koa';
import type { Context } from 'koa';

/**
 * What Koa's context hands on to its request and response, each by its name. Koa looks the name up at each call (`this[target][name]`), in code that all
 * names share: to V8 that is a store or a call that may be anything, and every setter goes through its runtime.
 */
const DIRECT: ThisType<Context> & object = {
  get method() {
    return this.request.method;
  },
  set method(value) {
    this.request.method = value;
  },
  get path() {
    return this.request.path;
  },
  set path(value) {
    this.request.path = value;
  },
  get url() {
    return this.request.url;
  },
  set url(value) {
    this.request.url = value;
  },
  get query() {
    return this.request.query;
  },
  set query(value) {
    this.request.query = value;
  },
  get headers() {
    return this.request.headers;
  },
  get secure() {
    return this.request.secure;
  },
  get ip() {
    return this.request.ip;
  },
  get host() {
    return this.request.host;
  },
  get status() {
    return this.response.status;
  },
  set status(value) {
    this.response.status = value;
  },
  get body() {
    return this.response.body;
  },
  set body(value) {
    this.response.body = value;
  },
  get type() {
    return this.response.type;
  },
  set type(value) {
    this.response.type = value;
  },
  get writable() {
    return this.response.writable;
  },
  get(field: string) {
    return this.request.get(field);
  },
  set(...field: Parameters<Context['set']>) {
    this.response.set(...field);
  },
  append(...field: Parameters<Context['append']>) {
    this.response.append(...field);
  },
  remove(field: string) {
    this.response.remove(field);
  },
};

/** Has the contexts of an application hand on directly what every request asks of them. */
export function handOnDirectly(application: Koa): void {
  Object.defineProperties(application.context, Object.getOwnPropertyDescriptors(DIRECT));
}
