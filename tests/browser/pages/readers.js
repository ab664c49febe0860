/**
 * The four ways in which a page reads a channel, each with nothing but what browsers bring along.
 *
 * A reader takes the channel's address, a cursor, and a function that is told the id and the data of each message.
 */

const readers = { eventSource, webSocket, fetchStream, poll };

function eventSource(channel, after, hear) {
  const source = new EventSource(`${channel}/sse?after=${after}`);
  source.onmessage = ({ lastEventId, data }) => hear(lastEventId, data);
  return source;
}

function webSocket(channel, after, hear) {
  const socket = new WebSocket(`${channel.replace("http", "ws")}/ws?format=json&after=${after}`);
  socket.onmessage = ({ data }) => {
    const { message } = JSON.parse(data);
    if (message) hear(message.id, message.data);
  };
  return socket;
}

async function fetchStream(channel, after, hear) {
  const { body } = await fetch(`${channel}/stream?after=${after}`);
  let rest = "";
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    for (const { message } of lines.map((line) => JSON.parse(line))) {
      if (message) hear(message.id, message.data);
    }
  }
}

async function poll(channel, after, hear) {
  for (let cursor = after; ; ) {
    const answer = await fetch(`${channel}/poll?after=${cursor}`);
    const { events, ...next } = await answer.json();
    for (const { message } of events) {
      if (message) hear(message.id, message.data);
    }
    cursor = next.cursor;
  }
}
