#!/usr/bin/env python3
"""Deployments that deploy nothing, for the Deploy page. Each request that nginx has accepted is one, and its id names it.

    docker/producers/deploys.py http://127.0.0.1:8080 [--pause SECONDS]

This program keeps no state. When it is started again, it repeats all deployments that nginx still has: no step is
published twice, because each has a key, and deployments that have ended are refused.
"""

import argparse
import threading
import time

from nginx import Nginx

STEPS = (
    ("Check out", ("HEAD is now at 7c1f0de", "412 files")),
    ("Build", ("compiling 38 sources", "linking", "built in 4.2 s")),
    ("Test", ("running 120 tests", "60 passed", "120 passed")),
    ("Upload", ("2.1 MB of 8.4 MB", "6.3 MB of 8.4 MB", "8.4 MB of 8.4 MB")),
    ("Switch over", ("draining the old version", "the new one answers")),
)


def events():
    """What a deployment says: (type, data)."""
    total = sum(len(lines) for _, lines in STEPS)
    done = 0
    for number, (step, lines) in enumerate(STEPS):
        yield "step", {"number": number, "name": step, "steps": len(STEPS)}
        for line in lines:
            done += 1
            yield "progress", {"text": line, "percent": 100 * done // total}
    yield "result", {"text": "Deployed.", "percent": 100}


def deploy(server, run, pause):
    said = list(events())
    for number, (kind, data) in enumerate(said):
        is_last = number == len(said) - 1
        if server.publish(f"deploy:{run}", data, kind, f"{run}-{number}", is_last, path="/deploy/publish"):
            time.sleep(pause)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("url", help="of nginx: http://127.0.0.1:8080")
    arguments.add_argument("--pause", type=float, default=0.5, help="between two lines, in seconds")
    options = arguments.parse_args()
    server = Nginx(options.url)
    cursor = ""
    while True:
        runs, cursor = server.poll("/deploy/requests?", cursor, wait=25)
        for run in runs:
            threading.Thread(target=deploy, args=(server, run["id"], options.pause), daemon=True).start()
        if not runs:
            time.sleep(0.1)  # a server that leaves answers at once


main()
