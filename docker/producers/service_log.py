#!/usr/bin/env python3
"""The log of a shop that does not exist, for the Live log page.

    docker/producers/service_log.py http://127.0.0.1:8080
"""

import random
import sys
import time

from nginx import Nginx

LINES = (
    "INFO  GET /products/{number} 200 {time} ms",
    "INFO  GET /search?q=lamp 200 {time} ms",
    "INFO  POST /basket/{number} 201 {time} ms",
    "INFO  order {number} paid",
    "WARN  GET /products/{number} took {time}0 ms",
    "ERROR payment of order {number} refused: card expired",
)
OFTEN = (40, 20, 15, 10, 4, 2)  # how often each comes


def main():
    server = Nginx(sys.argv[1])
    while True:
        line = random.choices(LINES, OFTEN)[0]
        text = line.format(number=random.randint(1000, 9999), time=random.randint(8, 250))
        server.publish("shop", text, path="/publish")
        time.sleep(random.expovariate(2))


main()
