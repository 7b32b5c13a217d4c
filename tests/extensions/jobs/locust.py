"""Start a test in the web interface, and read its statistics as JSON and as files."""

# ruff: noqa: E402
from gevent import monkey

monkey.patch_all()

import tempfile
from types import SimpleNamespace

import gevent
from locust import User, constant, task
from locust.env import Environment
from locust.stats import StatsCSVFileWriter


class Buyer(User):
    wait_time = constant(0.1)

    @task
    def buy(self):
        self.environment.events.request_success.fire(
            request_type="GET", name="/buy", response_time=1, response_length=1
        )


environment = Environment(user_classes=[Buyer])
environment.create_local_runner()
names = "headless host hatch_rate num_users run_time spawn_rate step_load step_time step_users".split()
environment.parsed_options = SimpleNamespace(stats_history_enabled=True, **dict.fromkeys(names))
writer = StatsCSVFileWriter(environment, [0.5], f"{tempfile.mkdtemp()}/stats", True)
writing = gevent.spawn(writer)
web = environment.create_web_ui("127.0.0.1", 0, stats_csv_writer=writer)
web.app.testing = True
client = web.app.test_client()
assert client.get("/").status_code == 200
started = client.post("/swarm", data={"user_count": 1, "spawn_rate": 5, "host": "http://localhost"})
assert started.json["success"]
with gevent.Timeout(20):
    while not environment.stats.num_requests:
        gevent.sleep(0.1)
assert client.get("/stats/requests").json["stats"][0]["name"] == "/buy"
for name in ("requests", "requests_full_history"):
    answer = client.get(f"/stats/{name}/csv")
    assert answer.status_code == 200
    assert name in answer.headers["Content-Disposition"]
environment.runner.quit()
web.stop()
writing.kill()
