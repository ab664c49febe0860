/**
 * Socket.IO: a room is a channel, and whoever connects joins the one that the query names.
 */

import { createServer } from "node:http";
import { Server } from "socket.io";
import { LARGEST_MESSAGE, LISTEN_BACKLOG, LONG, port } from "../settings.mjs";

const server = createServer();
const io = new Server(server, {
  transports: ["polling", "websocket"],
  // A subscriber stays with the transport that it came with: that is what is measured.
  allowUpgrades: false,
  perMessageDeflate: false,
  httpCompression: false,
  serveClient: false,
  maxHttpBufferSize: LARGEST_MESSAGE,
  // Heartbeats happen in no sample instead of in some.
  pingInterval: LONG,
});

io.on("connection", (socket) => {
  const { channel, publisher } = socket.handshake.query;
  if (publisher === undefined) socket.join(String(channel));
  socket.on("m", (text) => io.to(String(channel)).emit("m", text));
});
server.keepAliveTimeout = LONG;
server.listen({ port: port(), host: "127.0.0.1", backlog: LISTEN_BACKLOG }, () => console.log("ready"));
