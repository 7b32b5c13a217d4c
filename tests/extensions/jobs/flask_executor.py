"""Submit functions that read the request, ``g`` and the application in the threads of a pool."""

from flask import Flask, current_app, g, request
from flask_executor import Executor

app = Flask("shop")
app.config["EXECUTOR_MAX_WORKERS"] = 2
executor = Executor(app)


def describe(word):
    return f"{current_app.name} {request.path} {g.user} {word}"


@executor.job
def decorated(word):
    return describe(word)


@app.route("/<user>")
def index(user):
    g.user = user
    answers = [executor.submit(describe, "submit").result(), decorated.submit("job").result()]
    answers += executor.map(describe, ["map", "map"])
    executor.submit_stored(user, describe, "stored")
    answers.append(executor.futures.pop(user).result())
    return "\n".join(answers)


client = app.test_client()
for user in ("ada", "bob"):
    words = ("submit", "job", "map", "map", "stored")
    assert client.get(f"/{user}").text.split("\n") == [f"shop /{user} {user} {word}" for word in words]
executor.shutdown()
