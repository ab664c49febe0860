/**
 * What a browser's page has and Node.js lacks: events of its life, visibility, storage, an address.
 */

/**
 * Puts a page around the test, until it ends.
 *
 * @param {import("node:test").TestContext} test
 * @param {{ storage?: Map<string, string> | null, address?: string }} [settings] no storage throws, as in some browsers
 */
export function page(test, { storage = new Map(), address = "http://fallcast.test/rooms/tea" } = {}) {
  const fake = new Page();
  const parts = {
    addEventListener: fake.window.addEventListener.bind(fake.window),
    removeEventListener: fake.window.removeEventListener.bind(fake.window),
    document: fake.document,
    location: new URL(address),
  };
  for (const [name, value] of Object.entries(parts)) replace(test, name, { value });
  replace(test, "sessionStorage", { get: () => storageOn(storage) });
  return fake;
}

class Page {
  window = new EventTarget();
  document = Object.assign(new EventTarget(), { hidden: false, visibilityState: "visible" });

  goOffline() {
    this.window.dispatchEvent(new Event("offline"));
  }

  goOnline() {
    this.window.dispatchEvent(new Event("online"));
  }

  /** The page leaves, perhaps into the cache from which "back" takes it. */
  putAway() {
    this.window.dispatchEvent(Object.assign(new Event("pagehide"), { persisted: true }));
  }

  /** The page comes, for the first time or back from the cache. @param {boolean} persisted */
  show(persisted = true) {
    this.window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted }));
  }

  /** @param {boolean} hidden */
  setHidden(hidden) {
    Object.assign(this.document, { hidden, visibilityState: hidden ? "hidden" : "visible" });
    this.document.dispatchEvent(new Event("visibilitychange"));
  }
}

/** @param {Map<string, string> | null} storage */
function storageOn(storage) {
  if (!storage) throw new DOMException("storage is switched off", "SecurityError");
  return {
    getItem: (/** @type {string} */ name) => storage.get(name) ?? null,
    setItem: (/** @type {string} */ name, /** @type {string} */ value) => void storage.set(name, String(value)),
    removeItem: (/** @type {string} */ name) => void storage.delete(name),
  };
}

/**
 * Replaces a global until the test ends.
 *
 * @param {import("node:test").TestContext} test
 * @param {string} name
 * @param {PropertyDescriptor} property
 */
export function replace(test, name, property) {
  const had = Object.getOwnPropertyDescriptor(globalThis, name);
  Object.defineProperty(globalThis, name, { configurable: true, ...("value" in property && { writable: true }), ...property });
  test.after(() => {
    if (had) Object.defineProperty(globalThis, name, had);
    else delete globalThis[name];
  });
}
