"""A server on one port of this machine, with a thread for each connection: its port, its addresses, and publishing."""

import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from .channel import Channel, channel_of

# Bytes of a message that a publisher may send.
LARGEST_MESSAGE = 64 * 1024


def serve(port, transport, subscribe, publish=Channel.publish):
    """Serves one transport until Ctrl-C. The first line of the output says where.

    `transport` is the last part of its address; `subscribe(channel, request, query)` answers a request for it, and
    `publish(channel, text)` returns the number of a message.
    """
    Handler.transport, Handler.subscribe, Handler.publish = transport, staticmethod(subscribe), staticmethod(publish)
    try:
        server = Server(("127.0.0.1", port), Handler)
    except OSError as error:
        sys.exit(f"cannot listen on port {port}: {error.strerror}; choose another by --port PORT")
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


class Server(ThreadingHTTPServer):
    """Takes as many connections at a time as a class opens."""

    request_queue_size = 1024
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that is gone is no error; everything else is shown."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    # An answer is sent at once, and as a whole.
    disable_nagle_algorithm = True
    wbufsize = -1

    transport = ""
    subscribe = None
    publish = None

    def do_GET(self):
        name, last, query = self._address()
        if not name or last != self.transport:
            return self.refuse(404, "there is no such address")
        channel = channel_of(name)
        if channel is None:
            return self.refuse(503, "there are too many channels; start the server anew")
        self.subscribe(channel, self, query)

    def do_POST(self):
        name, last, _ = self._address()
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch("[0-9]{1,15}", length):
            self.close_connection = True
            return self.refuse(411, "a message needs a Content-Length")
        # Most clients look at the answer only when they have sent everything.
        body = self.rfile.read(min(int(length), 4 * LARGEST_MESSAGE))
        if int(length) > LARGEST_MESSAGE:
            self.close_connection |= int(length) > len(body)
            return self.refuse(413, "this message is too large")
        if not name or last is not None:
            return self.refuse(404, "there is no such address")
        origin = self.headers.get("Origin")
        host = self.headers.get("Host")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return self.refuse(403, "this server does not speak to pages of that origin")
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return self.refuse(400, "a message is text in UTF-8")
        channel = channel_of(name)
        if channel is None:
            return self.refuse(503, "there are too many channels; start the server anew")
        self.answer(201, "application/json", json.dumps({"id": channel.cursor(self.publish(channel, text))}))

    def send(self, text):
        """Sends a piece of an answer that goes on."""
        self.wfile.write(text.encode())
        self.wfile.flush()

    def refuse(self, status, reason):
        self.answer(status, "text/plain; charset=utf-8", reason)

    def answer(self, status, content_type, body):
        """Sends a complete answer."""
        payload = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(payload)))
        self.send_header("Cache-Control", "no-store")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_):
        """Says nothing: a poll is no news."""

    def _address(self):
        """The channel's name, the rest of the path, and the query; no name if the address is another."""
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        match address.path.split("/"):
            case ["", "channels", name]:
                return name, None, query
            case ["", "channels", name, last]:
                return name, last, query
            case _:
                return "", None, query
