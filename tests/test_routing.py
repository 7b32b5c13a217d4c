"""Routing: rules, methods, slashes, hosts, and URL adapters."""

from __future__ import annotations

import re
from typing import Any

import pytest
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import BaseConverter, Map, MapAdapter, RequestRedirect, Rule, ValidationError
from werkzeug.test import create_environ

from schlenk import Flask, Request, Response, redirect, request, session, url_for


def body(app: Flask, path: str, method: str = "GET", **arguments: Any) -> str:
    return app.test_client().open(path, method=method, **arguments).get_data(as_text=True)


def status(app: Flask, path: str, method: str = "GET", **arguments: Any) -> int:
    return app.test_client().open(path, method=method, **arguments).status_code


def allowed(app: Flask, path: str, method: str = "OPTIONS") -> set[str]:
    return set(app.test_client().open(path, method=method).headers["Allow"].split(", "))


# Rules


def test_route_adds_url_rule(app: Flask) -> None:
    @app.route("/one")
    def one() -> str:
        return "one"

    def two() -> str:
        return "two"

    app.add_url_rule("/two", view_func=two)
    assert body(app, "/one") == "one"
    assert body(app, "/two") == "two"
    assert app.view_functions == {"one": one, "two": two}
    assert [(rule.rule, rule.endpoint, rule.methods) for rule in app.url_map.iter_rules()] == [
        ("/one", "one", {"GET", "HEAD", "OPTIONS"}),
        ("/two", "two", {"GET", "HEAD", "OPTIONS"}),
    ]


def test_route_returns_view(app: Flask) -> None:
    def view() -> str:
        return ""

    assert app.route("/")(view) is view


def test_view_may_have_two_rules(app: Flask) -> None:
    @app.route("/a")
    @app.route("/b")
    def view() -> str:
        return request.path

    assert body(app, "/a") == "/a"
    assert body(app, "/b") == "/b"


def test_url_values_reach_view(app: Flask) -> None:
    @app.route("/user/<name>/<int:number>")
    def view(name: str, number: int) -> str:
        return f"{name} {number!r}"

    assert body(app, "/user/ada/7") == "ada 7"


def test_converter_can_be_added(app: Flask) -> None:
    class List(BaseConverter):
        def to_python(self, value: str) -> list[str]:
            return value.split("+")

        def to_url(self, value: list[str]) -> str:
            return "+".join(value)

    app.url_map.converters["list"] = List
    app.add_url_rule("/<list:names>", "names", lambda names: f"{names} {url_for('names', names=['c', 'd'])}")
    assert body(app, "/a+b") == "['a', 'b'] /c+d"


@pytest.mark.parametrize(("regex", "status"), [(".+", 200), ("[^/]+", 404), (r"[\w.]+", 404)])
def test_regex_decides_about_slashes(app: Flask, regex: str, status: int) -> None:
    class Own(BaseConverter):
        def __init__(self, url_map: Map) -> None:
            super().__init__(url_map)
            self.regex = regex

    app.url_map.converters["own"] = Own
    app.add_url_rule("/<own:path>", "page", lambda path: path)
    assert app.test_client().get("/a").text == "a"
    assert app.test_client().get("/a/b").status_code == status


def test_converter_may_use_session(app: Flask) -> None:
    class Own(BaseConverter):
        def to_python(self, value: str) -> str:
            return f"{request.method} {value} {session.get('user')}"

    app.url_map.converters["own"] = Own
    app.add_url_rule("/<own:value>", "own", lambda value: value)
    assert body(app, "/page") == "GET page None"


def test_many_rules_may_reject(app: Flask) -> None:
    class Rejecting(BaseConverter):
        def to_python(self, value: str) -> str:
            raise ValidationError

    app.url_map.converters["rejecting"] = Rejecting
    for number in range(100):
        app.add_url_rule(f"/<rejecting:value{number}>", f"rejecting{number}")
    with app.test_request_context("/page") as context:
        error = context.request.routing_exception
        assert isinstance(error, NotFound)
        assert not isinstance(error.__context__, NotFound)


def test_endpoint_defaults_to_view_name(app: Flask) -> None:
    def view() -> str:
        return str(request.endpoint)

    app.add_url_rule("/named", view_func=view)
    app.add_url_rule("/given", endpoint="given", view_func=view)
    app.route("/routed", endpoint="routed")(view)
    assert [body(app, path) for path in ("/named", "/given", "/routed")] == ["view", "given", "routed"]


def test_route_decorator_can_be_reused(app: Flask) -> None:
    register = app.route("/page", endpoint="page", methods=["POST"])
    register(register(lambda: "page"))
    assert body(app, "/page", "POST") == "page"


def test_view_may_be_added_later(app: Flask) -> None:
    app.add_url_rule("/", endpoint="index")

    @app.endpoint("index")
    def view() -> str:
        return "later"

    assert body(app, "/") == "later"
    assert app.view_functions["index"] is view


def test_endpoint_returns_view(app: Flask) -> None:
    def view() -> str:
        return ""

    assert app.endpoint("index")(view) is view


def test_url_map_accepts_rule(app: Flask) -> None:
    app.url_map.add(Rule("/", endpoint="index"))
    app.view_functions["index"] = lambda: "by hand"
    assert body(app, "/") == "by hand"


def test_url_map_rule_is_bare(app: Flask) -> None:
    app.url_map.add(Rule("/", endpoint="index"))
    app.view_functions["index"] = lambda: request.method
    assert body(app, "/", "OPTIONS") == "OPTIONS"


def test_defaults_reach_view(app: Flask) -> None:
    app.add_url_rule("/page", "page", lambda number: f"page {number}", defaults={"number": 1})
    assert body(app, "/page") == "page 1"


def test_default_in_url_redirects(app: Flask) -> None:
    app.add_url_rule("/page", "page", lambda number: f"page {number}", defaults={"number": 1})
    app.add_url_rule("/page/<int:number>", "page")
    response = app.test_client().get("/page/1")
    assert response.status_code == 308
    assert response.headers["Location"] == "http://localhost/page"


def test_options_are_passed_on(app: Flask) -> None:
    app.add_url_rule("/new", "new", lambda: "new")
    app.add_url_rule("/old", endpoint="old", redirect_to="new")
    assert app.test_client().get("/old").headers["Location"] == "http://localhost/new"


def test_method_can_be_view_of_two_rules(app: Flask) -> None:
    class Page:
        def view(self) -> str:
            return request.path

    page = Page()
    app.add_url_rule("/one", "page", page.view)
    app.add_url_rule("/two", "page", page.view)
    assert app.test_client().get("/two").get_data(as_text=True) == "/two"


def test_second_view_of_endpoint_is_refused(app: Flask) -> None:
    def first() -> str:
        return "first"

    def second() -> str:
        return "second"

    def place(view: Any) -> str:
        return rf"{re.escape(view.__qualname__)} \({re.escape(__file__)}, line {view.__code__.co_firstlineno}\)"

    app.add_url_rule("/one", "page", first)
    with pytest.raises(
        AssertionError, match=f"{place(second)} cannot be .*'page', because .*{place(first)} already is"
    ):
        app.add_url_rule("/two", "page", second)
    assert body(app, "/two") == "first"


def test_view_functions_may_wrap_views(app: Flask) -> None:
    class Wrapping(dict):
        def __setitem__(self, endpoint: str, view: Any) -> None:
            super().__setitem__(endpoint, lambda: f"wrapped {view()}")

    app.view_functions = Wrapping()
    app.add_url_rule("/", "index", lambda: "index")
    assert body(app, "/") == "wrapped index"


def test_none_is_not_a_view(app: Flask) -> None:
    app.view_functions["index"] = None
    app.add_url_rule("/", "index", lambda: "index")
    assert body(app, "/") == "index"


def test_last_of_equal_views_is_used(app: Flask) -> None:
    class Page:
        __name__ = "page"

        def __init__(self, text: str) -> None:
            self.text = text

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Page)

        def __call__(self) -> str:
            return self.text

    app.add_url_rule("/one", "page", Page("one"))
    app.add_url_rule("/two", "page", Page("two"))
    assert body(app, "/one") == "two"


def test_rule_needs_an_endpoint(app: Flask) -> None:
    with pytest.raises(AssertionError, match="endpoint"):
        app.add_url_rule("/")
    assert list(app.url_map.iter_rules()) == []


# Methods


def test_get_includes_head(app: Flask) -> None:
    app.add_url_rule("/", "index", lambda: request.method)
    assert [status(app, "/", method) for method in ("GET", "HEAD", "POST", "PUT")] == [200, 200, 405, 405]


def test_head_has_no_body(app: Flask) -> None:
    app.add_url_rule("/", "index", lambda: "hello")
    response = app.test_client().head("/")
    assert response.status_code == 200
    assert response.headers["Content-Length"] == "5"
    assert response.data == b""


@pytest.mark.parametrize("methods", [["POST", "PUT"], ("post", "put"), {"POST", "Put"}, iter(["POST", "PUT"])])
def test_methods_ignore_case(app: Flask, methods: Any) -> None:
    app.add_url_rule("/", "index", lambda: request.method, methods=methods)
    assert [status(app, "/", method) for method in ("GET", "HEAD", "POST", "PUT")] == [405, 405, 200, 200]


def test_one_url_may_have_view_per_method(app: Flask) -> None:
    app.add_url_rule("/", "show", lambda: "show")
    app.add_url_rule("/", "change", lambda: "change", methods=["POST"])
    assert body(app, "/") == "show"
    assert body(app, "/", "POST") == "change"


def test_view_may_declare_methods(app: Flask) -> None:
    def view() -> str:
        return request.method

    view.methods = ["POST"]
    app.add_url_rule("/", view_func=view)
    assert status(app, "/") == 405
    assert body(app, "/", "POST") == "POST"


def test_methods_override_views(app: Flask) -> None:
    def view() -> str:
        return request.method

    view.methods = ["POST"]
    app.add_url_rule("/", view_func=view, methods=["PUT"])
    assert status(app, "/", "POST") == 405
    assert body(app, "/", "PUT") == "PUT"


def test_required_methods_are_added(app: Flask) -> None:
    def view() -> str:
        return request.method

    view.required_methods = ["DELETE"]
    app.add_url_rule("/", view_func=view, methods=["GET"])
    assert [body(app, "/", method) for method in ("GET", "DELETE")] == ["GET", "DELETE"]


def test_other_method_gets_405(app: Flask) -> None:
    app.add_url_rule("/", "index", lambda: "", methods=["GET", "PUT"])
    assert status(app, "/", "POST") == 405
    assert allowed(app, "/", "POST") == {"GET", "HEAD", "OPTIONS", "PUT"}


# OPTIONS


def test_options_lists_methods(app: Flask) -> None:
    app.add_url_rule("/", "index", lambda: "never", methods=["GET", "POST"])
    assert allowed(app, "/") == {"GET", "HEAD", "OPTIONS", "POST"}
    assert status(app, "/", "OPTIONS") == 200
    assert body(app, "/", "OPTIONS") == ""


def test_options_lists_methods_of_all_views(app: Flask) -> None:
    app.add_url_rule("/", "show", lambda: "")
    app.add_url_rule("/", "change", lambda: "", methods=["POST"])
    assert allowed(app, "/") == {"GET", "HEAD", "OPTIONS", "POST"}


def test_view_may_answer_options(app: Flask) -> None:
    app.add_url_rule("/", "index", lambda: "myself", methods=["GET", "options"])
    assert body(app, "/", "OPTIONS") == "myself"


@pytest.mark.parametrize("automatic", [False, True])
def test_options_may_be_switched(app: Flask, automatic: bool) -> None:
    app.add_url_rule("/", "index", lambda: "myself", methods=["OPTIONS"], provide_automatic_options=automatic)
    assert body(app, "/", "OPTIONS") == ("" if automatic else "myself")


def test_options_can_be_disabled(app: Flask) -> None:
    app.add_url_rule("/", "index", lambda: "", provide_automatic_options=False)
    assert status(app, "/", "OPTIONS") == 405
    assert allowed(app, "/") == {"GET", "HEAD"}


@pytest.mark.parametrize(("automatic", "answers"), [(True, ""), (False, "myself")])
def test_view_may_switch_options(app: Flask, automatic: bool, answers: str) -> None:
    def view() -> str:
        return "myself"

    view.provide_automatic_options = automatic
    app.add_url_rule("/", view_func=view, methods=["GET", "OPTIONS"])
    assert body(app, "/", "OPTIONS") == answers


def test_options_argument_overrides_view(app: Flask) -> None:
    def view() -> str:
        return "myself"

    view.provide_automatic_options = True
    app.add_url_rule("/", view_func=view, methods=["OPTIONS"], provide_automatic_options=False)
    assert body(app, "/", "OPTIONS") == "myself"


def test_options_uses_given_class(app: Flask) -> None:
    class OurResponse(Response):
        default_mimetype = "text/plain"

    app.response_class = OurResponse
    app.add_url_rule("/", "index", lambda: "")
    assert app.test_client().options("/").mimetype == "text/plain"


# Results of matching


def test_rule_is_on_request(app: Flask) -> None:
    app.add_url_rule("/user/<name>", "user", lambda name: "")
    with app.test_request_context("/user/ada"):
        assert request.url_rule is next(app.url_map.iter_rules("user"))
        assert request.endpoint == "user"
        assert request.view_args == {"name": "ada"}
        assert request.routing_exception is None


@pytest.mark.parametrize(
    ("path", "method", "error"),
    [("/nowhere", "GET", NotFound), ("/page/", "POST", MethodNotAllowed), ("/page", "GET", RequestRedirect)],
)
def test_routing_error_is_stored(app: Flask, path: str, method: str, error: type[Exception]) -> None:
    app.add_url_rule("/page/", "page", lambda: "")
    with app.test_request_context(path, method=method):
        found = request.url_rule, request.endpoint, request.view_args
        assert found == (None, None, None)
        assert type(request.routing_exception) is error


def test_unknown_url_gets_404(app: Flask) -> None:
    assert status(app, "/nowhere") == 404


def test_dispatch_raises_routing_error(app: Flask) -> None:
    with app.test_request_context("/nowhere"):
        with pytest.raises(NotFound) as raised:
            app.dispatch_request()
        assert raised.value is request.routing_exception


# Slashes


def test_missing_slash_redirects(app: Flask) -> None:
    app.add_url_rule("/page/", "page", lambda: "page")
    response = app.test_client().get("/page?n=1")
    assert response.status_code == 308
    assert response.headers["Location"] == "http://localhost/page/?n=1"


def test_extra_slash_gets_404(app: Flask) -> None:
    app.add_url_rule("/page", "page", lambda: "page")
    assert status(app, "/page/") == 404


def test_strict_slashes_can_be_disabled(app: Flask) -> None:
    app.add_url_rule("/page/", "page", lambda: "page", strict_slashes=False)
    assert body(app, "/page") == "page"
    assert body(app, "/page/") == "page"


def test_strict_slashes_can_be_set_for_map(app: Flask) -> None:
    app.url_map.strict_slashes = False
    app.add_url_rule("/page/", "page", lambda: "page")
    assert body(app, "/page") == "page"


def test_form_is_redirected(app: Flask) -> None:
    app.add_url_rule("/page/", "page", lambda: "page", methods=["POST"])
    assert status(app, "/page", "POST") == 308


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_form_redirect_raises_in_debug(app: Flask, method: str) -> None:
    app.debug = True
    app.config["PRESERVE_CONTEXT_ON_EXCEPTION"] = False
    app.add_url_rule("/page/", "page", lambda: "page", methods=[method])
    with pytest.raises(AssertionError, match=f"{method}.*http://localhost/page'.*http://localhost/page/'"):
        app.test_client().open("/page", method=method)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_other_redirects_work_in_debug(app: Flask, method: str) -> None:
    app.debug = True
    app.add_url_rule("/page/", "page", lambda: "page")
    assert status(app, "/page", method) == 308


def test_unmatched_form_gets_404_in_debug(app: Flask) -> None:
    app.debug = True
    assert status(app, "/nowhere", "POST") == 404


def test_view_may_redirect(app: Flask) -> None:
    app.add_url_rule("/", "index", lambda: redirect("/other", 303))
    response = app.test_client().get("/")
    assert response.status_code == 303
    assert response.headers["Location"] == "/other"


# Hosts and subdomains


def test_subdomains_can_match() -> None:
    app = Flask("subdomains", subdomain_matching=True, static_folder=None)
    app.config["SERVER_NAME"] = "shop.example"
    app.add_url_rule("/", "front", lambda: "front")
    app.add_url_rule("/", "admin", lambda: "admin", subdomain="admin")
    app.add_url_rule("/", "user", lambda user: f"user {user}", subdomain="<user>")
    hosts = ["shop.example", "admin.shop.example", "ada.shop.example"]
    assert [body(app, "/", base_url=f"http://{host}") for host in hosts] == ["front", "admin", "user ada"]


def test_server_name_subdomains_always_match() -> None:
    app = Flask("subdomains", static_folder=None)
    app.config["SERVER_NAME"] = "shop.example"
    app.add_url_rule("/", "admin", lambda: "admin", subdomain="admin")
    assert body(app, "/", base_url="http://admin.shop.example") == "admin"


@pytest.mark.parametrize(("matching", "found"), [(False, "front"), (True, "admin")])
def test_default_subdomain_matches_any_host(matching: bool, found: str) -> None:
    app = Flask("subdomains", subdomain_matching=matching, static_folder=None)
    app.config["SERVER_NAME"] = "shop.example"
    app.url_map.default_subdomain = "www"
    app.add_url_rule("/", "front", lambda: "front")
    app.add_url_rule("/", "admin", lambda: "admin", subdomain="admin")
    assert body(app, "/", base_url="http://admin.shop.example") == found


def test_no_server_name_matches_any_host(app: Flask) -> None:
    app.add_url_rule("/", "index", lambda: request.host)
    hosts = ["shop.example", "127.0.0.1:5000"]
    assert [body(app, "/", base_url=f"http://{host}") for host in hosts] == hosts


def test_host_matching_uses_rule_hosts() -> None:
    app = Flask("hosts", host_matching=True, static_folder=None)
    app.add_url_rule("/", "shop", lambda: "shop", host="shop.example")
    app.add_url_rule("/", "any", lambda name: f"any {name}", host="<name>.example:8000")
    hosts = ["shop.example", "ada.example:8000"]
    assert [body(app, "/", base_url=f"http://{host}") for host in hosts] == ["shop", "any ada"]
    assert status(app, "/", base_url="http://other.example") == 404


# URL adapters


def test_url_adapter_can_be_overridden() -> None:
    class Other(Flask):
        def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
            return Map([Rule("/other", endpoint="other")]).bind("other.example", path_info="/other")

    app = Other("other")
    app.view_functions["other"] = lambda: url_for("other", _external=True)
    assert body(app, "/anything") == "http://other.example/other"


def test_request_adapter_binds_environ(app: Flask) -> None:
    app.add_url_rule("/page", "page")
    with app.test_request_context("/", base_url="https://shop.example:8443/root"):
        assert url_for("page", _external=True) == "https://shop.example:8443/root/page"


@pytest.mark.parametrize(
    ("environ", "default"),
    [
        ({}, ""),
        ({}, "www"),
        ({"HTTP_HOST": "LocalHost:80"}, ""),
        ({"HTTP_HOST": "shop.example:8080"}, ""),
        ({"HTTP_HOST": "shop.example:443", "wsgi.url_scheme": "https"}, ""),
        ({"HTTP_HOST": "shop.example:80", "wsgi.url_scheme": "https"}, ""),
        ({"HTTP_HOST": "xn--bcher-kva.example"}, ""),
        ({"HTTP_HOST": "[::1]:5000"}, ""),
        ({"HTTP_HOST": ""}, ""),
        ({"SCRIPT_NAME": "/root"}, ""),
        ({"SCRIPT_NAME": "/root/", "PATH_INFO": "page"}, ""),
        ({"PATH_INFO": "page"}, ""),
        ({"PATH_INFO": ""}, ""),
        ({"PATH_INFO": "//page//two"}, ""),
        ({"PATH_INFO": "/gr\xc3\xbc\xc3\x9fe"}, ""),
        ({"PATH_INFO": "/\xff"}, ""),
        ({"QUERY_STRING": "n=\xc3\xbc&m=\xff"}, ""),
        ({"REQUEST_METHOD": "DELETE"}, ""),
        ({"HTTP_UPGRADE": "websocket", "HTTP_CONNECTION": "Upgrade"}, ""),
    ],
    ids=str,
)
def test_request_adapter_comes_from_url_map(app: Flask, environ: dict[str, str], default: str) -> None:
    environ = {**create_environ("/page?n=1"), **environ}
    app.url_map.default_subdomain = default
    adapter = app.create_url_adapter(Request(environ))
    assert vars(adapter) == vars(app.url_map.bind_to_environ(environ, subdomain=default or None))


def test_url_map_subclass_binds_as_it_likes() -> None:
    class OurMap(Map):
        def bind_to_environ(self, *args: Any, **kwargs: Any) -> MapAdapter:
            return self.bind("ours.example", path_info="/ours")

    class Ours(Flask):
        url_map_class = OurMap

    app = Ours("ours")
    app.add_url_rule("/ours", "ours", lambda: url_for("ours", _external=True))
    assert body(app, "/anything") == "http://ours.example/ours"


def test_websocket_rule_needs_websocket(app: Flask) -> None:
    app.add_url_rule("/", "plain", lambda: "plain")
    app.add_url_rule("/", "socket", lambda: "socket", websocket=True)
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
    assert body(app, "/") == "plain"
    assert body(app, "/", headers=upgrade) == "socket"


def test_app_adapter_uses_config(app: Flask) -> None:
    app.config.update(SERVER_NAME="shop.example:8443", APPLICATION_ROOT="/root", PREFERRED_URL_SCHEME="https")
    app.add_url_rule("/page", "page")
    with app.app_context():
        assert url_for("page") == "https://shop.example:8443/root/page"


def test_no_adapter_without_server_name(app: Flask) -> None:
    assert app.create_url_adapter(None) is None
