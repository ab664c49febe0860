/**
 * uWebSockets.js with its own publish and subscribe: what is published to a topic is framed once, in C++.
 */

import uws from "@uwsjs/linux-x64-22";
import { LARGEST_BACKLOG, LARGEST_MESSAGE, port } from "../settings.mjs";

const settings = {
  compression: uws.DISABLED,
  maxPayloadLength: LARGEST_MESSAGE,
  // By default, what doesn't fit into 64 KiB is dropped without a word.
  maxBackpressure: LARGEST_BACKLOG,
  idleTimeout: 0,
  sendPingsAutomatically: false,
  upgrade(response, request, context) {
    response.upgrade(
      { channel: request.getParameter(0) ?? "" },
      request.getHeader("sec-websocket-key"),
      request.getHeader("sec-websocket-protocol"),
      request.getHeader("sec-websocket-extensions"),
      context,
    );
  },
};

const app = uws.App();
app.ws("/ws/:channel", { ...settings, open: (socket) => void socket.subscribe(socket.getUserData().channel) });
app.ws("/publish/:channel", {
  ...settings,
  message: (socket, message, isBinary) => void app.publish(socket.getUserData().channel, message, isBinary),
});
app.listen("127.0.0.1", port(), (listening) => {
  if (!listening) throw new Error("the port is taken");
  console.log("ready");
});
