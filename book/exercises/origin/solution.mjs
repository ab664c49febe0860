/**
 * Origin: which pages may speak to the server.
 */

// ANCHOR: hole
/**
 * Whether a page of this origin may open a WebSocket here, or publish.
 *
 * @param {string | undefined} origin the field `Origin`, which a browser sends and a page cannot change (RFC 6455 §10.2);
 *   such as `http://127.0.0.1:8090`, or `null`. Programs that are no browsers send none.
 * @param {string} host the field `Host`, the name under which the server was reached; such as `127.0.0.1:8090`
 */
export function isWelcome(origin, host) {
  // A program that sends no origin carries nobody's cookies, so there is nobody whom it could impersonate.
  if (origin === undefined) return true;
  // The whole of it is compared: `http://127.0.0.1:8090.evil.example` begins with our name, too.
  return ["http", "https"].some((scheme) => origin === `${scheme}://${host}`);
}
// ANCHOR_END: hole
