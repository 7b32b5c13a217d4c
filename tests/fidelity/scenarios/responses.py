"""The return values of views, and their responses."""

from __future__ import annotations

from typing import Any

from tests.fidelity.side import Side
from tests.fidelity.trace import Trace, scenario


def answers(side: Side, trace: Trace, *values: Any) -> None:
    """Serve a request for each value, which the view returns."""
    app = trace.bare()
    left = list(values)
    app.add_url_rule("/", "index", lambda: left.pop(0))
    while left:
        trace.serve(app, "/")


@scenario
def texts_and_bytes(side: Side, trace: Trace) -> None:
    """Texts, bytes and bytearrays are bodies, even if they are empty."""
    answers(side, trace, "text", "ünï", b"bytes", bytearray(b"array"), "", b"")


@scenario
def dictionaries(side: Side, trace: Trace) -> None:
    """A dict becomes JSON with sorted keys, also in a tuple. A list does not."""
    answers(side, trace, {"b": 1, "a": [1, None, True]}, ({"a": 1}, 201), ({"a": 1}, {"X-A": "1"}), {}, [1, 2])


@scenario
def tuples(side: Side, trace: Trace) -> None:
    """All forms of tuples: with a status as a number, text or enum, with headers, and with both."""
    from http import HTTPStatus

    answers(
        side,
        trace,
        ("body", 201),
        ("body", "201 Made"),
        ("body", HTTPStatus.ACCEPTED),
        ("body", {"X-A": "1"}),
        ("body", [("X-A", "1"), ("X-A", "2")]),
        ("body", 202, {"X-A": "1"}),
        ("body", None, {"X-A": "1"}),
        ("body", 202, None),
        ("body", 202, []),
        (b"bytes", 203),
        ("", 204),
    )


@scenario
def header_values_given_with_a_body(side: Side, trace: Trace) -> None:
    """Headers in a tuple replace the defaults of a text, and are added to those of anything else."""
    answers(
        side,
        trace,
        ("body", {"Content-Type": "text/plain"}),
        ("body", 200, [("Content-Type", "text/plain"), ("X-A", "1")]),
        ({"a": 1}, {"X-A": "1"}),
        (side.flask.Response("whole", headers={"X-A": "1"}), {"X-A": "2", "X-B": "3"}),
        (side.flask.Response("whole", headers={"X-A": "1"}), 202),
        ({"a": 1}, 202, {"Content-Type": "application/problem+json"}),
    )


@scenario
def values_that_are_no_answer(side: Side, trace: Trace) -> None:
    """None, numbers, lists, sets, generators, classes, and tuples of one or four items raise a TypeError."""
    answers(
        side,
        trace,
        None,
        7,
        1.5,
        True,
        ["a"],
        {"a"},
        (x for x in "ab"),
        ("a", 200, {}, "more"),
        ("a",),
        (),
        (None, 200),
        ("a", 200, "headers"),
        ("a", object()),
        object,
        object(),
    )


@scenario
def type_errors_name_the_view(side: Side, trace: Trace) -> None:
    """The TypeError contains the value that was returned and, for None, the endpoint."""
    app = trace.bare()
    app.config["PROPAGATE_EXCEPTIONS"] = True
    values = {"none": None, "number": 7, "four": ("a", 200, {}, 1), "list": [1]}
    words = {
        "none": ("none", "None", "return"),
        "number": ("int", "return", "dict", "tuple"),
        "four": ("tuple", "return", "status", "headers", "body"),
        "list": ("list", "return", "dict", "tuple"),
    }
    for name, value in values.items():
        app.add_url_rule(f"/{name}", name, lambda value=value: value)
        call = lambda name=name: app(trace.environ(f"/{name}"), print)  # noqa: E731
        trace.attempt(name, call, words=words[name])


@scenario
def response_objects(side: Side, trace: Trace) -> None:
    """A response object or one of a subclass is used as it is. make_response returns the same object."""

    class Special(side.flask.Response):
        pass

    app = trace.bare()
    with app.test_request_context("/"):
        response, special = side.flask.Response("a"), Special("b")
        trace("same", app.make_response(response) is response, app.make_response(special) is special)
        trace("tuple", app.make_response((response, 202)) is response, response.status_code)


@scenario
def responses_of_another_class(side: Side, trace: Trace) -> None:
    """Responses of Werkzeug and of other classes are converted to the application's class and keep their content."""
    from werkzeug.wrappers import Response

    class Mine(side.flask.Response):
        default_mimetype = "text/x-mine"

    app = trace.bare()
    app.response_class = Mine
    foreign = Response("foreign", status=202, headers={"X-A": "1"})
    left: list[Any] = [foreign, side.flask.Response("plain"), "text", (Response("foreign"), 203, {"X-B": "2"})]
    app.add_url_rule("/", "index", lambda: left.pop(0))
    app.after_request(lambda response: trace("class", type(response)) or response)
    while left:
        trace.serve(app, "/")


@scenario
def make_response_helper(side: Side, trace: Trace) -> None:
    """make_response without an argument is empty. Several arguments are the same as a tuple."""
    app = trace.bare()
    with app.test_request_context("/"):
        for arguments in ((), ("a",), ("a", 201), ("a", 201, {"X-A": "1"}), (("a", 202),), ({"a": 1},)):
            response = side.flask.make_response(*arguments)
            trace("made", response, response.get_data(), response.headers.get("X-A"), response.mimetype)
        trace.attempt("none", lambda: side.flask.make_response(None))


@scenario
def default_class_of_responses(side: Side, trace: Trace) -> None:
    """A plain answer is text/html in UTF-8, of the application's response class."""
    app = trace.bare()
    with app.test_request_context("/"):
        response = side.flask.make_response("a")
        trace("class", type(response) is app.response_class is side.flask.Response)
        trace("headers", response.default_mimetype, response.mimetype, response.content_type)


@scenario
def jsonify_in_every_form(side: Side, trace: Trace) -> None:
    """jsonify takes keywords or values, not both, and supports dates, UUIDs and __html__."""
    import datetime
    import uuid

    app = trace.bare()

    class Marked:
        def __html__(self) -> str:
            return "<b>"

    values = [
        lambda: side.flask.jsonify(),
        lambda: side.flask.jsonify(1),
        lambda: side.flask.jsonify([1, 2]),
        lambda: side.flask.jsonify(1, 2),
        lambda: side.flask.jsonify(b=1, a=2),
        lambda: side.flask.jsonify(None),
        lambda: side.flask.jsonify("ü"),
        lambda: side.flask.jsonify(datetime.datetime(2020, 1, 2, 3, 4, 5)),
        lambda: side.flask.jsonify(datetime.date(2020, 1, 2)),
        lambda: side.flask.jsonify(uuid.UUID(int=1)),
        lambda: side.flask.jsonify(Marked()),
        lambda: side.flask.jsonify((1, 2)),
    ]
    with app.test_request_context("/"):
        for value in values:
            response = value()
            trace("json", response.get_data(as_text=True), response.mimetype)
        trace.attempt("both", lambda: side.flask.jsonify(1, a=2), words=("jsonify",))
        trace.attempt("unknown", lambda: side.flask.jsonify(object()))
        trace.attempt("mixed keys", lambda: side.flask.jsonify({1: 1, "a": 2}).get_data(as_text=True))


@scenario
def json_settings(side: Side, trace: Trace) -> None:
    """The settings for JSON and DEBUG change the output of jsonify."""
    for settings in (
        {},
        {"JSON_AS_ASCII": False},
        {"JSON_SORT_KEYS": False},
        {"JSONIFY_MIMETYPE": "application/x-json"},
        {"JSONIFY_PRETTYPRINT_REGULAR": True},
        {"DEBUG": True},
    ):
        app = trace.bare()
        app.config.update(settings)
        with app.test_request_context("/"):
            response = side.flask.jsonify({"b": "ü", "a": [1, {"c": 2}]})
            trace("json", settings, response.get_data(as_text=True), response.mimetype)
        with app.test_request_context("/", headers={"X-Requested-With": "XMLHttpRequest"}):
            trace("by script", side.flask.jsonify({"a": 1}).get_data(as_text=True))


@scenario
def json_outside_an_application(side: Side, trace: Trace) -> None:
    """json.dumps and json.loads work without an application, with sorted keys and in ASCII."""
    trace("dumps", side.json.dumps({"b": "ü", "a": 1}), side.json.loads('{"a": [1]}'))
    app = trace.bare()
    app.config.update(JSON_SORT_KEYS=False, JSON_AS_ASCII=False)
    trace("for an app", side.json.dumps({"b": "ü", "a": 1}, app=app))
    with app.app_context():
        trace("in its context", side.json.dumps({"b": "ü", "a": 1}))


@scenario
def json_encoder_and_decoder_of_an_application(side: Side, trace: Trace) -> None:
    """jsonify and get_json use json_encoder and json_decoder of the application."""

    class Encoder(side.json.JSONEncoder):
        def default(self, value):
            return f"set of {len(value)}" if isinstance(value, set) else super().default(value)

    class Decoder(side.json.JSONDecoder):
        def __init__(self, **keywords):
            super().__init__(object_hook=lambda found: [*found], **keywords)

    app = trace.bare()
    app.json_encoder, app.json_decoder = Encoder, Decoder

    @app.route("/", methods=["POST"])
    def view() -> Any:
        return side.flask.jsonify([side.flask.request.get_json(), {1, 2}])

    trace.serve(app, "/", "POST", body=b'{"a": 1}', CONTENT_TYPE="application/json")


@scenario
def redirects(side: Side, trace: Trace) -> None:
    """redirect answers with the given code and location."""
    answers(
        side,
        trace,
        side.flask.redirect("/there"),
        side.flask.redirect("/there", 301),
        side.flask.redirect("/there", code=307),
        side.flask.redirect("http://elsewhere.example/x?y=1"),
    )


@scenario
def head_requests(side: Side, trace: Trace) -> None:
    """HEAD calls the view for GET. The response has the length of the body, but no body."""
    app = trace.app()
    trace.serve(app, "/", "HEAD")


@scenario
def wrong_answers_of_a_wsgi_callable(side: Side, trace: Trace) -> None:
    """A callable that is not a WSGI application fails like the view."""
    answers(side, trace, lambda: "not WSGI", lambda environ: [b"neither"])


@scenario
def statuses_without_a_body(side: Side, trace: Trace) -> None:
    """204 and 304 have no body. 304 has no headers that describe a body."""
    app = trace.bare()
    for status in (204, 304):
        app.view_functions["index"] = lambda status=status: ("body", status, {"Content-Type": "text/x", "X-Sent": "1"})
        if status == 204:
            app.add_url_rule("/", "index")
        trace.serve(app, "/")
