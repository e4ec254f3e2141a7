#!/usr/bin/env python3
"""Reloads the demo's nginx, or kills one of its workers, when the page On the wire asks for it. `./build.sh run` starts
it; the image does not contain it. Do not run such a program anywhere else.

    docker/control/control.py SOCKET PID-FILE

It listens on a Unix socket, to which nginx passes POST /control/reload and POST /control/kill?pid=NUMBER.
"""

import http.server
import os
import pathlib
import re
import signal
import socketserver
import sys
import urllib.parse

SOCKET, PID_FILE = sys.argv[1:]


def master():
    return int(pathlib.Path(PID_FILE).read_text(encoding="ascii"))


def parent_of(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return int(re.search(r"^PPid:\s*(\d+)", status, re.MULTILINE)[1])


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        return self.answer(200, "here")

    def do_POST(self):
        target = urllib.parse.urlsplit(self.path)
        # A page of another origin cannot send this header: its preflight fails.
        if "X-Demo" not in self.headers:
            return self.answer(403, "only for the page of the demo")
        try:
            if target.path == "/control/reload":
                os.kill(master(), signal.SIGHUP)
            elif target.path == "/control/kill":
                pid = int(urllib.parse.parse_qs(target.query)["pid"][0])
                if parent_of(pid) != master():
                    return self.answer(403, "not a worker of this nginx")
                os.kill(pid, signal.SIGKILL)
            else:
                return self.answer(404, "unknown")
        except (OSError, KeyError, ValueError) as error:
            return self.answer(409, str(error))
        return self.answer(200, "done")

    def answer(self, status, text):
        body = f"{text}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "nginx"

    def log_message(self, *_):
        pass


class Server(socketserver.UnixStreamServer):
    def server_bind(self):
        super().server_bind()
        os.chmod(SOCKET, 0o666)  # the workers of a root's nginx are nobody

    # The worker that waits for the answer may be the one that has been killed.
    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


pathlib.Path(SOCKET).unlink(missing_ok=True)  # of one that was killed
with Server(SOCKET, Handler) as server:
    server.serve_forever()
