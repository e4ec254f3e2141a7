#!/usr/bin/env python3
"""Answers the questions of the Chat page: producer.py URL [--pause SECONDS]

There is no model: each answer is the text of answer.txt, a token at a time. The example shows how the tokens reach the
pages that watch, and how the answer survives the death of every process:

* A question is an event of one channel. Its id names the channel of its answer.
* An answer is a request whose body stays open, with an event for each token. Event 0 repeats the question; the tokens
  are numbered from 1 on, and the last of them ends the channel.
* This program keeps no state. When it is started again, it reads the retained questions and how far each answer has
  got, and continues from there. nginx evicts the oldest events first, so a question never outlives its answer.
* A page that stops an answer ends the channel. nginx then refuses later tokens (409), and the answer is over.
"""

import argparse
import http.client
import json
import pathlib
import re
import select
import sys
import threading
import time
import urllib.parse

MAX_ANSWERS = 4  # that are written at a time; further questions wait in nginx
TIMEOUT = 60  # seconds of silence; nginx sends a heartbeat every 15
RETRY = 0.5  # seconds
STOPPED = 409  # what nginx says to events for a channel that has ended

TEXT = pathlib.Path(__file__).with_name("answer.txt").read_text(encoding="utf-8").strip()
TOKENS = re.findall(r"\s*\S{1,6}", TEXT)

# The exceptions of a connection that breaks.
BROKEN = (OSError, http.client.HTTPException)


def render(number, kind, text):
    """One event as it is written in the body of a request."""
    lines = [f"id: {number}", f"event: {kind}", *(f"data: {line}" for line in re.split(r"\r\n|\r|\n", text))]
    return ("\n".join(lines) + "\n\n").encode()


def parse(lines):
    """The events of a stream: (id, type, text). nginx ends each line with a line feed."""
    event_id, kind, data = "", "message", []
    for line in lines:
        name, _, value = line.decode().rstrip("\n").partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            event_id = value
        elif name == "event":
            kind = value
        elif name == "data":
            data.append(value)
        elif line == b"\n":
            if data:
                yield event_id, kind, "\n".join(data)
            kind, data = "message", []


class Producer:
    def __init__(self, url, pause):
        self.address = urllib.parse.urlsplit(url).netloc
        self.pause = pause
        self.free = threading.BoundedSemaphore(MAX_ANSWERS)

    def connect(self):
        return http.client.HTTPConnection(self.address, timeout=TIMEOUT)

    def subscribe(self, path, last_id=""):
        connection = self.connect()
        try:
            connection.request("GET", path, headers={"Last-Event-ID": last_id} if last_id else {})
            response = connection.getresponse()
            if response.status == 200:
                yield from parse(response)
        finally:
            connection.close()

    def run(self):
        """Takes questions until this program is killed."""
        last_id = ""
        while True:
            try:
                for last_id, kind, text in self.subscribe("/chat/questions", last_id):
                    if kind == "message":
                        self.free.acquire()
                        threading.Thread(target=self.answer, args=(last_id, text), daemon=True).start()
            except BROKEN:
                pass
            time.sleep(RETRY)

    def answer(self, name, question):
        """Writes one answer to its end, in as many requests as that takes."""
        events = [("question", question), *(("message", token) for token in TOKENS)]
        try:
            while not self.is_over(name, events):
                time.sleep(RETRY)
        finally:
            self.free.release()

    def is_over(self, name, events):
        """Continues an answer; false if it has not ended afterwards, as when nginx is reloaded."""
        try:
            status, text = self.publish(name, events, self.progress(name))
        except BROKEN:
            return False
        if status < 400:
            return "ended" in json.loads(text)
        if status != STOPPED:
            print(f"answer {name}: {status} {text}", file=sys.stderr, flush=True)
        return status < 500

    def progress(self, name):
        """How many events the answer has."""
        count = 0
        for event_id, kind, _ in self.subscribe(f"/chat/answer?answer={name}"):
            if kind in ("live", "end"):
                return count
            number = event_id.partition("~")[2]
            if number:
                count = int(number) + 1
        raise http.client.HTTPException("the stream has broken off")

    def publish(self, name, events, first):
        """Publishes the events from number `first` on, in one request that ends the channel when it is complete."""
        connection = self.connect()
        try:
            connection.putrequest("POST", f"/chat/tokens?answer={name}&end")
            connection.putheader("Content-Type", "text/event-stream")
            connection.putheader("Transfer-Encoding", "chunked")
            connection.endheaders()
            for number in range(first, len(events)):
                event = render(number, *events[number])
                connection.send(b"%x\r\n%b\r\n" % (len(event), event))
                # The pause of somebody who writes, unless nginx answers before the end: it does so only to refuse.
                if select.select([connection.sock], [], [], self.pause)[0]:
                    break
            else:
                connection.send(b"0\r\n\r\n")
            response = connection.getresponse()
            return response.status, response.read().decode().strip()
        finally:
            connection.close()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("url", help="of nginx: http://127.0.0.1:8080")
    arguments.add_argument("--pause", type=float, default=0.04, help="between two tokens, in seconds")
    options = arguments.parse_args()
    Producer(options.url, options.pause).run()


main()
