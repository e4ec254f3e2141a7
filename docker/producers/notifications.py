#!/usr/bin/env python3
"""Notifications for two users, for the Notifications page: now for one, now for the other.

    docker/producers/notifications.py http://127.0.0.1:8080
"""

import random
import sys
import time

from nginx import Nginx

USERS = ("ada", "ben")
TEXTS = (
    "Your export is ready.",
    "A new comment on \"Release notes\".",
    "The invoice of this month is there.",
    "Somebody has signed in from a new device.",
    "Your review has been asked for.",
)


def main():
    server = Nginx(sys.argv[1])
    while True:
        server.publish(f"user:{random.choice(USERS)}", random.choice(TEXTS))
        time.sleep(random.uniform(5, 12))


main()
