"""Registered rules, the requests that they match, and the errors for all other requests."""

from __future__ import annotations

from werkzeug.exceptions import NotFound
from werkzeug.routing import BaseConverter, ValidationError

from tests.fidelity.side import Side
from tests.fidelity.trace import Boom, Trace, scenario


@scenario
def unknown_url(side: Side, trace: Trace) -> None:
    """An unknown URL is a 404, which before_request can read."""
    app = trace.app()
    app.before_request(lambda: trace("before", side.flask.request.routing_exception, side.flask.request.url_rule))
    trace.serve(app, "/nowhere")


@scenario
def wrong_method(side: Side, trace: Trace) -> None:
    """A method without a view is a 405 that lists the allowed methods of all rules for the URL."""
    app = trace.bare()
    app.add_url_rule("/", "read", lambda: "read")
    app.add_url_rule("/", "write", lambda: "write", methods=["POST", "PUT"])
    trace.serve(app, "/", "PATCH")
    trace.serve(app, "/", "POST")
    trace.serve(app, "/", "GET")


@scenario
def methods_of_a_rule(side: Side, trace: Trace) -> None:
    """GET adds HEAD and OPTIONS. Other methods add only OPTIONS. Lowercase names are accepted."""
    app = trace.bare()
    app.add_url_rule("/default", "default", lambda: "default")
    app.add_url_rule("/post", "post", lambda: "post", methods=["post"])
    app.add_url_rule("/both", "both", lambda: side.flask.request.method, methods=("GET", "POST"))
    for path in ("/default", "/post", "/both"):
        for method in ("GET", "HEAD", "POST", "OPTIONS", "DELETE"):
            trace.serve(app, path, method)
    trace("rules", {rule.endpoint: rule.methods for rule in app.url_map.iter_rules()})


@scenario
def methods_given_as_text(side: Side, trace: Trace) -> None:
    """``methods="GET"`` is refused with a TypeError."""
    app = trace.bare()
    words = ("methods",)
    trace.attempt("add", lambda: app.add_url_rule("/", "index", print, methods="GET"), words=words)


@scenario
def methods_of_the_view_function(side: Side, trace: Trace) -> None:
    """A view's ``methods`` are the default, and its ``required_methods`` are always added."""
    app = trace.bare()

    def view() -> str:
        return side.flask.request.method

    view.methods = ["PUT"]
    view.required_methods = ["DELETE"]
    app.add_url_rule("/own", "own", view)
    app.add_url_rule("/given", "given", view, methods=["POST"])
    trace("rules", {rule.endpoint: rule.methods for rule in app.url_map.iter_rules()})
    trace.serve(app, "/own", "PUT")
    trace.serve(app, "/given", "DELETE")
    trace.serve(app, "/given", "PUT")


@scenario
def options_provided_automatically_or_not(side: Side, trace: Trace) -> None:
    """The application answers OPTIONS, unless the rule or the view disables that or lists the method."""
    app = trace.bare()

    def own() -> str:
        return f"own {side.flask.request.method}"

    def refusing() -> str:
        return "refusing"

    refusing.provide_automatic_options = False

    def asking() -> str:
        return "asking"

    asking.provide_automatic_options = True
    app.add_url_rule("/listed", "listed", own, methods=["GET", "OPTIONS"])
    app.add_url_rule("/off", "off", own, provide_automatic_options=False)
    app.add_url_rule("/on", "on", own, methods=["GET", "OPTIONS"], provide_automatic_options=True)
    app.add_url_rule("/refusing", "refusing", refusing)
    app.add_url_rule("/asking", "asking", asking, methods=["GET", "OPTIONS"])
    for rule in ("listed", "off", "on", "refusing", "asking"):
        trace(rule, app.view_functions[rule] is not None)
        trace.serve(app, f"/{rule}", "OPTIONS")
    trace("rules", {rule.endpoint: rule.methods for rule in app.url_map.iter_rules()})


@scenario
def default_options_response_called_by_hand(side: Side, trace: Trace) -> None:
    """make_default_options_response lists the allowed methods of the URL and has no body."""
    app = trace.app()
    with app.test_request_context("/", method="OPTIONS"):
        response = app.make_default_options_response()
        trace("made", response, sorted(response.allow), response.get_data())


@scenario
def missing_slash(side: Side, trace: Trace) -> None:
    """A rule with a trailing slash redirects requests without it, with the query. The reverse is a 404."""
    app = trace.app()
    app.add_url_rule("/dir/", "dir", lambda: "dir", methods=["GET", "POST"])
    app.add_url_rule("/file", "file", lambda: "file")
    for path in ("/dir", "/dir?a=1&b=%20", "/dir/", "/file", "/file/"):
        trace.serve(app, path)
    trace.serve(app, "/dir", "POST")


@scenario
def missing_slash_in_debug(side: Side, trace: Trace) -> None:
    """With DEBUG, a redirect that would lose a form raises an error. GET, HEAD and OPTIONS are redirected."""
    app = trace.bare()
    app.debug = True
    app.config["PRESERVE_CONTEXT_ON_EXCEPTION"] = False
    app.add_url_rule("/dir/", "dir", lambda: "dir", methods=["GET", "POST", "PUT"])
    for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT"):
        trace(method)
        trace.serve(app, "/dir", method)

    with app.test_request_context("/dir", method="POST"):
        with trace.catching("dispatch", ("redirect", "http://localhost/dir/", "POST")):
            app.dispatch_request()


@scenario
def error_for_a_lost_form_is_an_assertion_error(side: Side, trace: Trace) -> None:
    """The error for a form that a redirect would lose is an AssertionError, which a handler can receive."""
    app = trace.bare()
    app.debug = True
    app.add_url_rule("/dir/", "dir", lambda: "dir", methods=["GET", "POST"])
    app.register_error_handler(AssertionError, lambda error: ("assertion", 500))
    trace.serve(app, "/dir", "POST")


@scenario
def strict_slashes(side: Side, trace: Trace) -> None:
    """Without strict slashes, for a rule or for the map, both forms are served."""
    app = trace.bare()
    app.add_url_rule("/dir/", "dir", lambda: "dir", strict_slashes=False)
    app.add_url_rule("/file", "file", lambda: "file", strict_slashes=False)
    other = trace.bare()
    other.url_map.strict_slashes = False
    other.add_url_rule("/dir/", "dir", lambda: "dir")
    for path in ("/dir", "/dir/", "/file", "/file/"):
        trace.serve(app, path)
        trace.serve(other, path)


@scenario
def defaults_of_a_rule(side: Side, trace: Trace) -> None:
    """A rule with defaults passes them to the view. The long form of such a URL redirects to it."""
    app = trace.bare()

    def page(number: int) -> str:
        return f"page {number} {side.flask.request.view_args}"

    app.add_url_rule("/page/", "page", page, defaults={"number": 1})
    app.add_url_rule("/page/<int:number>", "page", page)
    for path in ("/page/", "/page/2", "/page/1"):
        trace.serve(app, path)


@scenario
def request_knows_its_rule(side: Side, trace: Trace) -> None:
    """url_rule, endpoint, view_args, blueprint and routing_exception of a request with and without a match."""
    app = trace.bare()
    app.add_url_rule("/user/<name>/<int:number>", "user", lambda **values: str(values))
    for path in ("/user/ann/3", "/user/ann/x"):
        with app.test_request_context(path):
            request = side.flask.request
            rule = request.url_rule
            trace(
                path,
                rule and rule.rule,
                rule and rule.methods,
                request.endpoint,
                request.view_args,
                request.blueprint,
                request.routing_exception,
            )


@scenario
def converters(side: Side, trace: Trace) -> None:
    """The built-in converters, and one of the application."""
    app = trace.bare()

    class Reversed(BaseConverter):
        def to_python(self, value):
            return value[::-1]

        def to_url(self, value):
            return value[::-1]

    app.url_map.converters["reversed"] = Reversed
    for kind in ("int", "float", "path", "string", "uuid", "reversed"):
        app.add_url_rule(f"/{kind}/<{kind}:value>", kind, lambda value: f"{type(value).__name__} {value}")
    app.add_url_rule("/any/<any(a, b):value>", "any", lambda value: value)
    for path in (
        "/int/3",
        "/int/x",
        "/int/-3",
        "/float/1.5",
        "/float/1",
        "/path/a/b",
        "/string/a",
        "/string/a/b",
        "/uuid/00000000-0000-0000-0000-000000000001",
        "/uuid/1",
        "/reversed/abc",
        "/any/a",
        "/any/c",
    ):
        trace.serve(app, path)
    with app.test_request_context("/"):
        trace("build", side.flask.url_for("reversed", value="abc"))


@scenario
def converters_with_slashes(side: Side, trace: Trace) -> None:
    """A converter matches what its regular expression matches, slashes included."""
    app = trace.bare()

    class Anything(BaseConverter):
        regex = ".+"

    class Given(BaseConverter):
        def __init__(self, url_map, regex):
            super().__init__(url_map)
            self.regex = regex

    app.url_map.converters.update(anything=Anything, given=Given)
    for name, rule in {
        "anything": "/anything/<anything:value>",
        "dot": "/dot/<given('.+?'):value>/end",
        "set": "/set/<given('[ -~]+'):value>",
        "no slash": "/no/<given('[^/]+'):value>",
        "point": r"/point/<given('[\w.]+'):value>",
    }.items():
        app.add_url_rule(rule, name, lambda value: value)
    for path in (
        "/anything/a/b",
        "/anything/a",
        "/dot/a/b/end",
        "/set/a/b",
        "/no/a",
        "/no/a/b",
        "/point/a.b",
        "/point/a/b",
    ):
        trace.serve(app, path)
    with app.test_request_context("/"):
        trace("build", side.flask.url_for("anything", value="a/b"))


@scenario
def two_views_on_one_endpoint(side: Side, trace: Trace) -> None:
    """A second function for an endpoint raises an AssertionError that names it. The same function is accepted."""
    app = trace.bare()

    def view() -> str:
        return "view"

    def other() -> str:
        return "other"

    app.add_url_rule("/a", "shared", view)
    app.add_url_rule("/b", "shared", view)
    words = ("shared", "endpoint")
    trace.attempt("other", lambda: app.add_url_rule("/c", "shared", other), words=words)
    for path in "/a", "/b", "/c":
        trace.serve(app, path)


@scenario
def endpoint_defaults_to_the_functions_name(side: Side, trace: Trace) -> None:
    """Without an endpoint, a rule has the name of its view. Without either, it is refused."""
    app = trace.bare()

    @app.route("/a")
    @app.route("/b", endpoint="named")
    def view() -> str:
        return side.flask.request.endpoint

    trace("functions", sorted(app.view_functions))
    trace.serve(app, "/a")
    trace.serve(app, "/b")
    trace.attempt("neither", lambda: app.add_url_rule("/c"), words=("view function", "endpoint"))


@scenario
def rule_without_view(side: Side, trace: Trace) -> None:
    """A rule may precede its view, which the endpoint decorator registers. Until then, its requests fail."""
    app = trace.bare()
    app.add_url_rule("/later", endpoint="later")
    trace.serve(app, "/later")

    @app.endpoint("later")
    def view() -> str:
        return "later"

    trace("name", app.view_functions["later"] is view)
    trace.serve(app, "/later")


@scenario
def view_functions_may_be_replaced(side: Side, trace: Trace) -> None:
    """The functions in view_functions are called."""
    app = trace.app()
    app.view_functions["index"] = lambda: "replaced"
    trace.serve(app, "/")


@scenario
def url_rule_with_a_wrong_path(side: Side, trace: Trace) -> None:
    """A rule without a leading slash raises a ValueError, and an unknown converter a LookupError."""
    app = trace.bare()
    trace.attempt("relative", lambda: app.add_url_rule("relative", "relative", print), words=("slash",))
    trace.attempt("converter", lambda: app.add_url_rule("/<nothing:value>", "value", print), words=("nothing",))


@scenario
def server_name_and_hosts(side: Side, trace: Trace) -> None:
    """With SERVER_NAME, a request to another host or port is a 404, even without subdomain matching."""
    app = trace.app()
    app.config["SERVER_NAME"] = "example.com"
    for host in ("example.com", "www.example.com", "other.org", "example.com:80", "example.com:8080"):
        trace("host", host)
        with trace.warnings():
            trace.serve(app, "/", HTTP_HOST=host)


@scenario
def subdomain_matching(side: Side, trace: Trace) -> None:
    """With subdomain matching, rules belong to subdomains of SERVER_NAME. Another host is a 404."""
    app = trace.bare(subdomain_matching=True)
    app.config["SERVER_NAME"] = "example.com"
    app.add_url_rule("/", "plain", lambda: "plain")
    app.add_url_rule("/", "www", lambda: "www", subdomain="www")
    app.add_url_rule("/", "user", lambda user: f"user {user}", subdomain="<user>")
    for host in ("example.com", "www.example.com", "ann.example.com", "other.org"):
        trace("host", host)
        with trace.warnings():
            trace.serve(app, "/", HTTP_HOST=host)


@scenario
def subdomain_without_matching(side: Side, trace: Trace) -> None:
    """Without subdomain matching, a rule's subdomain is served if it is the default subdomain of the map."""
    app = trace.bare()
    app.config["SERVER_NAME"] = "example.com"
    app.add_url_rule("/", "plain", lambda: "plain")
    app.add_url_rule("/www", "www", lambda: "www", subdomain="www")
    for path in ("/", "/www"):
        for host in ("example.com", "www.example.com"):
            trace("url", host, path)
            trace.serve(app, path, HTTP_HOST=host)


@scenario
def host_matching(side: Side, trace: Trace) -> None:
    """With host matching, every rule has a host, which may contain variables."""
    app = trace.bare(host_matching=True)
    app.add_url_rule("/", "one", lambda: "one", host="one.example.com")
    app.add_url_rule("/", "any", lambda name: f"any {name}", host="<name>.example.org")
    for host in ("one.example.com", "two.example.org", "two.example.com"):
        trace("host", host)
        trace.serve(app, "/", HTTP_HOST=host)


@scenario
def environ_without_a_host_header(side: Side, trace: Trace) -> None:
    """Without a Host header, the host is the server's name and port."""
    app = trace.bare()
    app.add_url_rule("/", "index", lambda: side.flask.request.host_url)
    for name, port in (("localhost", "80"), ("example.com", "8080")):
        environ = trace.environ("/", SERVER_NAME=name, SERVER_PORT=port)
        del environ["HTTP_HOST"]
        trace("body", b"".join(app(environ, lambda *arguments: None)).decode())


@scenario
def unusual_environs(side: Side, trace: Trace) -> None:
    """Invalid UTF-8 in the path, an empty path, and unusual hosts are matched without an error."""
    app = trace.app()
    app.add_url_rule("/<name>", "named", lambda name: name)
    for path in ("/\xff\xfe", "", "/%2F", "/\xc3\xbc", "/a b", "/a;b"):
        trace("path", path)
        trace.serve(app, "/", PATH_INFO=path)
    for host in ("[::1]:5000", "LOCALHOST", "localhost:80", "xn--bcher-kva.example"):
        trace("host", host)
        trace.serve(app, "/", HTTP_HOST=host)
    trace("method")
    trace.serve(app, "/", "BREW")
    trace.serve(app, "/", "get")


@scenario
def match_request_of_a_context_replaced(side: Side, trace: Trace) -> None:
    """The match_request method of a subclass sets the match."""

    class Fixed(side.ctx.RequestContext):
        def match_request(self):
            trace("match_request")
            self.request.routing_exception = NotFound()

    app = trace.app()
    app.request_context = lambda environ: Fixed(app, environ)
    trace.serve(app, "/")


@scenario
def error_while_matching(side: Side, trace: Trace) -> None:
    """An error of a converter during matching fails the request like an error of the view."""

    class Failing(BaseConverter):
        def to_python(self, value):
            raise Boom("converter")

    app = trace.app()
    app.url_map.converters["failing"] = Failing
    app.add_url_rule("/<failing:value>/x", "failing", lambda value: value)
    trace.serve(app, "/a/x")


@scenario
def routing_exception_set_by_hand(side: Side, trace: Trace) -> None:
    """If a hook sets routing_exception, dispatching raises it. With None, the view is called."""
    app = trace.app()

    @app.before_request
    def decide() -> None:
        if "forbid" in side.flask.request.args:
            side.flask.request.routing_exception = NotFound()

    trace.serve(app, "/?forbid")
    trace.serve(app, "/")


@scenario
def script_name(side: Side, trace: Trace) -> None:
    """An application mounted at a prefix matches the rest of the path and builds URLs with the prefix."""
    app = trace.bare()
    app.add_url_rule("/a", "a", lambda: f"{side.flask.request.script_root} {side.flask.url_for('a')}")
    app.add_url_rule("/dir/", "dir", lambda: "dir")
    trace.serve(app, "/a", SCRIPT_NAME="/mounted")
    trace.serve(app, "/dir", SCRIPT_NAME="/mounted")


@scenario
def merged_slashes(side: Side, trace: Trace) -> None:
    """Repeated slashes are redirected to the rule with single ones."""
    app = trace.bare()
    app.add_url_rule("/a/b", "ab", lambda: "ab")
    trace.serve(app, "/a//b")
    trace.serve(app, "//a/b")


@scenario
def rule_that_redirects(side: Side, trace: Trace) -> None:
    """A rule can redirect, and an alias redirects to its main rule."""
    app = trace.bare()
    app.add_url_rule("/new", "new", lambda: "new")
    app.add_url_rule("/old", "old", lambda: "never", redirect_to="/new")
    app.add_url_rule("/alias", "new", alias=True)
    trace.serve(app, "/old")
    trace.serve(app, "/alias")


@scenario
def rules_for_building_only(side: Side, trace: Trace) -> None:
    """A build-only rule can be built but not requested."""
    app = trace.bare()
    app.add_url_rule("/built/<name>", "built", build_only=True)
    trace.serve(app, "/built/a")
    with app.test_request_context("/"):
        trace("built", side.flask.url_for("built", name="a"))


@scenario
def rule_and_map_classes(side: Side, trace: Trace) -> None:
    """Rules and the map have the classes of the subclass's url_rule_class and url_map_class."""
    from werkzeug.routing import Map, Rule

    class OwnRule(Rule):
        pass

    class OwnMap(Map):
        pass

    class Own(side.flask.Flask):
        url_rule_class = OwnRule
        url_map_class = OwnMap

    app = trace.bare(base=Own)
    app.add_url_rule("/", "index", lambda: "index")
    trace("classes", type(app.url_map), [type(rule) for rule in app.url_map.iter_rules()])
    trace("plain", side.flask.Flask.url_rule_class is Rule, side.flask.Flask.url_map_class is Map)


@scenario
def rejected_values(side: Side, trace: Trace) -> None:
    """If a converter rejects a value, the next matching rule is tried."""

    class Known(BaseConverter):
        def to_python(self, value: str) -> str:
            if value != "known":
                raise ValidationError
            return value

    app = trace.bare()
    app.url_map.converters["known"] = Known
    app.add_url_rule("/<int(max=5):number>", "small", lambda number: f"small {number}")
    app.add_url_rule("/<int(max=50):number>", "large", lambda number: f"large {number}")
    app.add_url_rule("/<known:name>", "known", lambda name: f"known {name}")
    app.add_url_rule("/<name>", "name", lambda name: f"name {name}", methods=["POST"])
    for path in ("/3", "/30", "/300", "/known", "/unknown", "/"):
        for method in ("GET", "POST"):
            trace.serve(app, path, method)
