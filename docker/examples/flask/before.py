"""The usual server for notifications: a queue and a thread for each open page."""

import queue

from flask import Flask, Response, jsonify, request, session

app = Flask(__name__)
app.secret_key = "a secret"  # which signs the cookie
pages = {}  # user: queues


@app.post("/login/<user>")
def login(user):
    """Stands for a log-in with a password."""
    session["user"] = user
    return jsonify(success=True)


@app.get("/events")
def events():
    messages = queue.Queue()
    pages.setdefault(session["user"], []).append(messages)

    def generate():
        yield 'data: {"type":"connected"}\n\n'
        while True:
            yield f"data: {messages.get()}\n\n"  # waits, also for a page that is gone

    return Response(generate(), mimetype="text/event-stream", headers={"Cache-Control": "no-cache"})


@app.post("/notify/<user>")
def notify(user):
    for messages in pages.get(user, []):
        messages.put(request.get_data(as_text=True))
    return jsonify(success=True, pages=len(pages.get(user, [])))


if __name__ == "__main__":
    app.run("127.0.0.1", 9000, threaded=True)
