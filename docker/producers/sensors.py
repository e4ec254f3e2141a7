#!/usr/bin/env python3
"""Measurements of a greenhouse that does not exist, for the Dashboard page: one of each sensor every second, and an
alarm when a sensor leaves its range or is back.

    docker/producers/sensors.py http://127.0.0.1:8080
"""

import math
import random
import sys
import time

from nginx import Nginx

# Name, unit, middle, amplitude, period in seconds, and the range that is allowed.
SENSORS = (
    ("Air", "°C", 22, 4, 60, 19, 25.5),
    ("Soil", "°C", 17, 2, 90, 14, 20),
    ("Humidity", "%", 60, 14, 45, 48, 75),
    ("Light", "klx", 30, 12, 75, 15, 45),
)


def measure(at, alarmed):
    """What the sensors say at that time: (type, data). Who is out of its range is in `alarmed`."""
    for number, (name, unit, middle, amplitude, period, least, most) in enumerate(SENSORS):
        value = middle + amplitude * math.sin(2 * math.pi * at / period) + random.gauss(0, amplitude / 20)
        value = round(value, 1)
        is_wrong = not least <= value <= most
        reading = {"sensor": name, "number": number, "unit": unit, "value": value, "at": round(at * 1000)}
        reading["alarm"] = is_wrong
        yield "reading", reading
        if is_wrong != (name in alarmed):
            alarmed ^= {name}
            yield "alarm" if is_wrong else "clear", reading


def main():
    server = Nginx(sys.argv[1])
    alarmed = set()
    now = time.time()
    if not server.poll("/dashboard/events?")[0]:  # nobody should have to wait for the first minute
        server.publish_stream("sensors", [event for ago in range(60, 0, -1) for event in measure(now - ago, alarmed)])
    while True:
        now = time.time()
        server.publish_stream("sensors", measure(now, alarmed))
        time.sleep(max(0, now + 1 - time.time()))


main()
