"""The test client, and contexts that are made for tests."""

from __future__ import annotations

from typing import Any

from tests.fidelity.side import Side
from tests.fidelity.trace import Boom, Trace, scenario


def showing(side: Side, trace: Trace, **keywords: Any) -> Any:
    """Return an application that answers with the data of the request."""
    app = trace.bare(**keywords)

    @app.route("/", defaults={"path": ""}, methods=["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"])
    @app.route("/<path:path>", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"])
    def show(path: str) -> Any:
        request = side.flask.request
        return side.flask.jsonify(
            url=request.url,
            method=request.method,
            form=request.form,
            data=request.get_data(as_text=True),
            type=request.mimetype,
            remote=request.remote_addr,
            agent=request.user_agent.string.partition("/")[0],
            own=request.environ.get("own.key"),
            header=request.headers.get("X-A"),
        )

    return app


@scenario
def client_methods(side: Side, trace: Trace) -> None:
    """Each method of the client makes a request with that method."""
    client = showing(side, trace).test_client()
    for method in ("get", "post", "put", "patch", "delete", "options", "head", "trace"):
        response = getattr(client, method)("/")
        trace(method, response.status, response.get_json(silent=True) and response.get_json()["method"])
    trace("open", client.open("/", method="PUT").get_json()["method"])


@scenario
def client_arguments(side: Side, trace: Trace) -> None:
    """The arguments of a client's call arrive in the request."""
    client = showing(side, trace).test_client()
    calls: dict[str, dict[str, Any]] = {
        "query": {"query_string": {"a": "b c"}},
        "in path": {"path": "/p?a=1"},
        "form": {"method": "POST", "data": {"a": "1"}},
        "raw": {"method": "POST", "data": b"raw", "content_type": "text/plain"},
        "json": {"method": "POST", "json": {"b": 1, "a": [2]}},
        "headers": {"headers": {"X-A": "1"}},
        "base": {"base_url": "https://example.com:8443/root"},
        "whole url": {"path": "https://example.com/x?y=1"},
        "scheme": {"url_scheme": "https"},
        "subdomain": {"subdomain": "www"},
        "overrides": {"environ_overrides": {"own.key": "own"}},
        "environ": {"environ_base": {"REMOTE_ADDR": "10.0.0.1"}},
    }
    for name, arguments in calls.items():
        trace(name, client.open(**{"path": "/", **arguments}).get_json())
    trace.attempt("both", lambda: client.get("/", base_url="http://a.example", subdomain="b"))
    trace.attempt("data and json", lambda: client.post("/", data=b"a", json={}))


@scenario
def client_follows_the_configuration(side: Side, trace: Trace) -> None:
    """SERVER_NAME, APPLICATION_ROOT and PREFERRED_URL_SCHEME determine the URL of a client's requests."""
    app = showing(side, trace)
    app.config.update(SERVER_NAME="example.com:8080", APPLICATION_ROOT="/root", PREFERRED_URL_SCHEME="https")
    client = app.test_client()
    trace("plain", client.get("/p").get_json()["url"])
    with app.test_request_context("/p"):
        trace("context", side.flask.request.url)
    other = showing(side, trace, subdomain_matching=True)
    other.config["SERVER_NAME"] = "example.com"
    with other.test_request_context("/p", subdomain="www"):
        trace("subdomain", side.flask.request.url, side.flask.request.url_rule)


@scenario
def client_environ_base(side: Side, trace: Trace) -> None:
    """The client's environ_base is the default for every request. Arguments of a call override it."""
    client = showing(side, trace).test_client()
    trace("default", sorted(client.environ_base))
    client.environ_base["REMOTE_ADDR"] = "10.1.1.1"
    client.environ_base["own.key"] = "base"
    answer = client.get("/").get_json()
    trace("base", answer["remote"], answer["own"], answer["agent"])
    trace("overridden", client.get("/", environ_overrides={"own.key": "call"}).get_json()["own"])


@scenario
def client_given_an_environ_or_builder(side: Side, trace: Trace) -> None:
    """A client also opens an existing environ or builder."""
    app = showing(side, trace)
    client = app.test_client()
    trace("environ", client.open(trace.environ("/p?a=1", "POST", b"x")).get_json())
    builder = side.testing.EnvironBuilder(app, "/p", method="PUT", json={"a": 1})
    trace("builder", client.open(builder).get_json())
    with client:
        client.open(builder)
        trace("kept", side.flask.request.method, side.globals._request_ctx_stack.top.preserved)


@scenario
def client_keeps_cookies(side: Side, trace: Trace) -> None:
    """A client returns the cookies it received, also to another path, but not those of another client."""
    app = trace.bare()

    @app.route("/set/<name>")
    def set_cookie(name: str) -> Any:
        response = side.flask.make_response("set")
        response.set_cookie(name, f"value of {name}")
        return response

    @app.route("/delete/<name>")
    def delete_cookie(name: str) -> Any:
        response = side.flask.make_response("deleted")
        response.delete_cookie(name)
        return response

    app.add_url_rule("/show", "show", lambda: side.flask.jsonify(side.flask.request.cookies.to_dict()))
    one, two = app.test_client(), app.test_client()
    one.get("/set/a")
    one.get("/set/b")
    trace("one", one.get("/show").get_json(), two.get("/show").get_json())
    one.get("/delete/a")
    trace("deleted", one.get("/show").get_json())


@scenario
def client_follows_redirects(side: Side, trace: Trace) -> None:
    """Redirects are followed if requested. The status code decides whether method and body are kept."""
    app = trace.bare()
    app.add_url_rule("/go/<int:code>", "go", lambda code: side.flask.redirect("/there", code), methods=["GET", "POST"])

    @app.route("/there", methods=["GET", "POST"])
    def there() -> str:
        return f"{side.flask.request.method} {side.flask.request.form.to_dict()}"

    client = app.test_client()
    for code in (301, 302, 303, 307, 308):
        for method in ("GET", "POST"):
            data = {"a": "1"} if method == "POST" else None
            response = client.open(f"/go/{code}", method=method, data=data, follow_redirects=True)
            trace("followed", code, method, response.status, response.get_data(as_text=True))
    trace("not followed", client.get("/go/302").status)


@scenario
def client_sees_propagated_errors(side: Side, trace: Trace) -> None:
    """The client raises an error with TESTING, DEBUG or PROPAGATE_EXCEPTIONS. Otherwise, it returns a 500."""
    for setting in ("TESTING", "DEBUG", "PROPAGATE_EXCEPTIONS", "UNRELATED"):
        app = trace.app()
        app.config.update({setting: True, "PRESERVE_CONTEXT_ON_EXCEPTION": False})
        trace.attempt(setting, lambda app=app: app.test_client().get("/boom").status)


@scenario
def client_made_by_the_application(side: Side, trace: Trace) -> None:
    """test_client passes its arguments to the class, and cookies first."""

    class Client(side.testing.FlaskClient):
        def __init__(self, *arguments, **keywords):
            trace("made", len(arguments), sorted(keywords), keywords.get("own"))
            keywords.pop("own", None)
            super().__init__(*arguments, **keywords)

    app = trace.bare()
    app.test_client_class = Client
    client = app.test_client(own=1)
    trace("client", client.application is app, client.preserve_context)
    app.test_client(use_cookies=False)


@scenario
def client_response_json(side: Side, trace: Trace) -> None:
    """The responses of a client have get_json and json."""
    app = trace.bare()
    app.add_url_rule("/", "index", lambda: {"a": 1})
    app.add_url_rule("/text", "text", lambda: "text")
    client = app.test_client()
    response = client.get("/")
    trace("json", response.is_json, response.json, response.get_json(), response.mimetype)
    trace("text", client.get("/text").is_json)


@scenario
def test_request_context_arguments(side: Side, trace: Trace) -> None:
    """test_request_context accepts the arguments of the environ builder."""
    app = trace.bare()
    for arguments in (
        {},
        {"path": "/p?a=1"},
        {"method": "POST", "data": {"a": "1"}},
        {"method": "POST", "json": {"a": 1}},
        {"base_url": "https://example.com/root/"},
        {"headers": {"X-A": "1"}},
        {"query_string": {"a": "1"}},
    ):
        with app.test_request_context(**arguments):
            request = side.flask.request
            trace("request", request.url, request.method, request.form, request.get_json(silent=True))
            trace("more", request.headers.get("X-A"), request.args, request.content_type)


@scenario
def environ_builder_by_itself(side: Side, trace: Trace) -> None:
    """EnvironBuilder reads the application's configuration and writes JSON as the application does."""
    app = trace.bare()
    app.config.update(SERVER_NAME="example.com", JSON_SORT_KEYS=False)
    builder = side.testing.EnvironBuilder(app, "/p", json={"b": 1, "a": 2})
    environ = builder.get_environ()
    trace("environ", environ["HTTP_HOST"], environ["PATH_INFO"], environ["wsgi.input"].read(), environ["CONTENT_TYPE"])
    trace("app", builder.app is app)
    builder.close()


@scenario
def client_in_an_application_context(side: Side, trace: Trace) -> None:
    """A client uses an application context of the same application that was pushed by hand."""
    app = trace.app()
    with app.app_context():
        side.flask.g.mark = 1
        app.test_client().get("/")
        with app.test_client() as client:
            client.get("/")
            trace("kept", side.flask.g.mark)
        trace("after", side.flask.g.mark)


@scenario
def client_block_in_a_thread(side: Side, trace: Trace) -> None:
    """Two threads with a client block each keep a context of their own."""
    app = trace.app()

    def block() -> None:
        with app.test_client() as client:
            client.get("/?n=thread")
            trace("kept", side.flask.request.args["n"])

    with app.test_client() as client:
        client.get("/?n=main")
        trace.in_thread(block)
        trace("kept", side.flask.request.args["n"])


@scenario
def error_in_a_client_block_after_a_kept_failure(side: Side, trace: Trace) -> None:
    """Teardown functions receive the error that leaves the block, not the one that the context stores."""
    app = trace.app()
    with trace.catching("block"):
        with app.test_client() as client:
            client.get("/boom")
            raise Boom("block")


@scenario
def transaction_whose_request_makes_a_request(side: Side, trace: Trace) -> None:
    """The block of a session transaction sees the previous context on top, which opening the session has torn down."""
    app = trace.bare()
    app.secret_key = "key"
    app.add_url_rule("/", "index", lambda: "index")
    bind = app.create_url_adapter
    with app.test_client() as client:
        client.get("/")
        before = side.globals._request_ctx_stack.top

        def create_url_adapter(request: Any) -> Any:
            app.create_url_adapter = bind
            app.test_client().get("/")
            return bind(request)

        app.create_url_adapter = create_url_adapter
        with client.session_transaction():
            trace("on top", side.globals._request_ctx_stack.top is before)
