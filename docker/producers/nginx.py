"""For the producers of the demo: publishes to nginx, and reads what has been published."""

import http.client
import json
import sys
import time
import urllib.parse

TIMEOUT = 60  # seconds
RETRY = 0.5  # seconds


class Nginx:
    def __init__(self, url):
        self.address = urllib.parse.urlsplit(url).netloc

    def request(self, method, target, body=None, headers=None):
        connection = http.client.HTTPConnection(self.address, timeout=TIMEOUT)
        try:
            connection.request(method, target, body, headers or {})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def ask(self, method, target, body=None, headers=None):
        """The status and the text of a response. Tries again while the server is down or starting."""
        while True:
            try:
                status, text = self.request(method, target, body, headers)
                if status < 500:
                    return status, text
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(RETRY)

    def publish(self, channel, data, kind="", key=None, end=False, path="/produce"):
        """Publishes one event. With a key it is published once, however often it is sent; false if it was there before."""
        query = urllib.parse.urlencode({"channel": channel, "event": kind}, safe=":") + ("&end" if end else "")
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        status, answer = self.ask("POST", f"{path}?{query}", text.encode(), {"Idempotency-Key": key} if key else {})
        if status >= 400:
            print(f"{channel}: {status} {answer.strip()}", file=sys.stderr, flush=True)
        return status == 201

    def publish_stream(self, channel, events):
        """Publishes many events, (type, data), in one request."""
        body = "".join(f"event: {kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n" for kind, data in events)
        self.ask("POST", f"/produce?channel={channel}", body.encode(), {"Content-Type": "text/event-stream"})

    def poll(self, target, cursor="", wait=0):
        """The events after a cursor, and the next cursor."""
        query = f"&poll&wait={wait}" + (f"&last_event_id={cursor}" if cursor else "")
        status, text = self.ask("GET", target + query)
        if status != 200:
            return [], cursor
        answer = json.loads(text)
        return answer["events"], answer["cursor"]
