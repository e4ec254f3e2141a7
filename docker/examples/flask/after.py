"""The same with nginx: no queue, no thread, and a page gets what it has missed when it comes back."""

import json
import urllib.parse
import urllib.request

from flask import Flask, abort, jsonify, request, session

app = Flask(__name__)
app.secret_key = "a secret"  # which signs the cookie


def publish(channel, data):
    url = "http://127.0.0.1:8080/publish?" + urllib.parse.urlencode({"channel": channel})
    with urllib.request.urlopen(url, data, timeout=5) as answer:
        return json.load(answer)


@app.post("/login/<user>")
def login(user):
    """Stands for a log-in with a password."""
    session["user"] = user
    return jsonify(success=True)


@app.get("/whoami")
def whoami():
    """Tells nginx the channel of /me."""
    if "user" not in session:
        abort(401)
    return "", 204, {"X-Channel": f"user-{session['user']}"}


@app.post("/notify/<user>")
def notify(user):
    answer = publish(f"user-{user}", request.get_data())
    return jsonify(success=True, pages=answer["subscribers"])


if __name__ == "__main__":
    app.run("127.0.0.1", 9000, threaded=True)
