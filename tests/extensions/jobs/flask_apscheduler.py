"""Start a scheduler, see its job through the protected API, and run it in an application context."""

from threading import Event

from flask import Flask, current_app
from flask_apscheduler import APScheduler
from flask_apscheduler.auth import HTTPBasicAuth

app = Flask("shop")
app.config.update(SCHEDULER_API_ENABLED=True, SCHEDULER_TIMEZONE="UTC")
scheduler = APScheduler()
scheduler.auth = HTTPBasicAuth()
scheduler.init_app(app)
ran = Event()
names = []


@scheduler.authenticate
def authenticate(credentials):
    return (credentials["username"], credentials["password"]) == ("ada", "key")


@scheduler.task("interval", id="count", hours=1)
def count():
    with scheduler.app.app_context():
        names.append(current_app.name)
    ran.set()


scheduler.start()
client = app.test_client()
assert client.get("/scheduler").status_code == 401
headers = {"Authorization": "Basic YWRhOmtleQ=="}
assert client.get("/scheduler", headers=headers).json["running"] is True
assert [job["id"] for job in client.get("/scheduler/jobs", headers=headers).json] == ["count"]
assert client.post("/scheduler/jobs/count/run", headers=headers).status_code == 200
assert ran.wait(30)
assert names == ["shop"]
scheduler.shutdown()
