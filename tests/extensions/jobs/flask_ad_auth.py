"""Log in with a code from a directory server in a thread, and allow and refuse by group."""

from base64 import b64encode
from json import dumps
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, make_server

from flask import Flask
from flask_ad_auth import ADAuth, ad_group_required, ad_required, current_user

identity = b64encode(dumps({"upn": "ada@example.com", "ab": 1}).encode()).decode().rstrip("=")
ANSWERS = {
    "/token": {
        "id_token": f"header.{identity}.signature",
        "access_token": "access",
        "refresh_token": "refresh",
        "expires_on": "9999999999",
        "token_type": "Bearer",
        "resource": "resource",
        "scope": "scope",
    },
    "/me/getMemberGroups": {"value": ["1"]},
    "/example.com/groups": {
        "value": [{"objectId": "1", "displayName": "writers"}, {"objectId": "2", "displayName": "admins"}]
    },
}


def directory(environ, start_response):
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", [("Content-Type", "application/json")])
    return [dumps(ANSWERS[environ["PATH_INFO"]]).encode()]


class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


server = make_server("127.0.0.1", 0, directory, handler_class=Quiet)
thread = Thread(target=server.serve_forever, daemon=True)
thread.start()
address = f"http://127.0.0.1:{server.server_port}"
app = Flask("shop")
app.secret_key = "key"
app.config.update(AD_TOKEN_URL=f"{address}/token", AD_GRAPH_URL=address)
manager = ADAuth()
manager.init_app(app)


@app.route("/me")
@ad_required
def me():
    return current_user.email


@app.route("/write")
@ad_group_required("writers")
def write():
    return "written"


@app.route("/admin")
@ad_group_required("admins")
def admin():
    return "never"


with TemporaryDirectory() as database:
    app.config["AD_SQLITE_DB"] = str(Path(database, "users.db"))
    client = app.test_client()
    assert client.get("/me").status_code == 401
    entered = client.get("/connect/get_token?code=code")
    assert entered.status_code == 302
    assert entered.headers["Location"].endswith("/")
    assert client.get("/me").text == "ada@example.com"
    assert client.get("/write").text == "written"
    assert client.get("/admin").status_code == 403
    assert app.test_client().get("/write").status_code == 401
server.shutdown()
thread.join()
server.server_close()
