/**
 * What runs within a page. Each function is sent there as text, so it knows nothing but its argument.
 *
 * Both clocks are the page's own: it reads the time just before it begins, and again in the handler that ends it.
 */

/**
 * Connects and waits for the first message.
 *
 * @param {{ url: string, options: Record<string, any>, limit: number }} what
 * @returns {Promise<{ ms: number, transport: string, log: { transport: string | null, what: string }[] }>}
 */
export async function timeToFirstMessage({ url, options, limit }) {
  const { connect } = await import("/client/fallcast.js");
  await new Promise((resolve) => requestIdleCallback(resolve));

  const began = performance.now();
  const channel = connect(url, options);
  const ms = await new Promise((resolve, reject) => {
    channel.addEventListener("message", () => resolve(performance.now() - began), { once: true });
    setTimeout(() => reject(new Error(`no message within ${limit} ms:\n${channel.log.join("\n")}`)), limit);
  });

  const { transport, log } = channel;
  channel.close();
  return { ms, transport, log: log.map(({ transport, what }) => ({ transport, what })) };
}

/**
 * Meets obstacles without the client: a handshake that is refused, and a timer as long as a head start.
 *
 * @param {{ url: string, obstacles: ("refusal" | "silence" | "hold")[], headStart: number }} what
 * @returns {Promise<{ ms: number }>}
 */
export async function timeOfObstacles({ url, obstacles, headStart }) {
  const headStartPasses = () => new Promise((resolve) => setTimeout(resolve, headStart));
  const meet = {
    refusal: () =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(url);
        socket.onopen = () => reject(new Error("the handshake was not refused"));
        socket.onclose = resolve;
      }),
    silence: headStartPasses,
    hold: headStartPasses,
  };
  await new Promise((resolve) => requestIdleCallback(resolve));

  const began = performance.now();
  for (const obstacle of obstacles) await meet[obstacle]();
  return { ms: performance.now() - began };
}
