#!/usr/bin/env python3
"""Numbers for the pages On the wire, Compare and Limits: one per second, and now and then a pause in which nginx sends
heartbeats. Continues after the newest number that nginx has.

    docker/producers/ticks.py http://127.0.0.1:8080
"""

import itertools
import sys
import time

from nginx import Nginx

PERIOD = 1  # seconds
TALKING, SILENT = 12, 7  # numbers, and seconds after them


def main():
    server = Nginx(sys.argv[1])
    events, _ = server.poll("/wire/events?start=last=1")
    first = int(events[-1]["data"].split()[0]) + 1 if events else 1
    for number in itertools.count(first):
        # With the time, so that who reads can tell how long it took. The key: a number that nginx has taken, and whose
        # answer was lost when its worker was killed, is not taken twice.
        server.publish("ticks", f"{number} {time.time() * 1000:.0f}", key=f"tick-{number}")
        time.sleep(PERIOD if number % TALKING else SILENT)


main()
