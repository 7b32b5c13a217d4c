"""Fuzzing with arbitrary WSGI environs: each gets a valid response and leaves no state behind.

``FUZZ_EXAMPLES=200000 pytest tests/test_fuzz.py`` runs longer.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from io import BytesIO, StringIO
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schlenk import (
    Flask,
    Response,
    _app_ctx_stack,
    _request_ctx_stack,
    abort,
    flash,
    g,
    get_flashed_messages,
    jsonify,
    redirect,
    request,
    session,
    stream_with_context,
    url_for,
)
from schlenk.flight import in_flight

# Log to wsgi.errors, as without pytest.
logging.getLogger("fuzzed").propagate = False

FUZZ_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "2000"))

# The attributes of a request that never raise, whatever the client sent.
READABLE = """
    accept_charsets accept_encodings accept_languages accept_mimetypes access_control_request_headers
    access_control_request_method access_route args authorization base_url blueprint cache_control content_encoding
    content_length content_md5 content_type cookies date endpoint full_path headers host host_url if_match
    if_modified_since if_none_match if_unmodified_since is_json is_multiprocess is_secure max_content_length
    max_forwards method mimetype mimetype_params origin path pragma query_string range referrer remote_addr remote_user
    root_path root_url scheme script_root server trusted_hosts url url_root url_rule view_args
""".split()


class Streams:
    """Counts the streamed responses that are not closed yet."""

    open = 0


def make_app(**settings: Any) -> Flask:
    """Make an application that reads every part of a request and contains no errors."""
    host_matching = settings.pop("host_matching", False)
    app = Flask("fuzzed", host_matching=host_matching, subdomain_matching=settings.pop("subdomain_matching", False))
    app.config.update(SECRET_KEY="key", **settings)
    host = {"host": "<host>"} if host_matching else {}

    def route(rule: str, **options: Any) -> Any:
        return app.route(rule, **{**host, **options})

    @app.url_value_preprocessor
    def keep_values(endpoint: str | None, values: dict[str, Any] | None) -> None:
        host = (values or {}).pop("host", "")
        # For a host such as [::1], Werkzeug builds URLs with quoted brackets, which it cannot parse.
        g.host = host if re.fullmatch("[A-Za-z0-9.-]+(:[0-9]{1,4})?", host) else "plain.example"

    @app.url_defaults
    def add_host(endpoint: str, values: dict[str, Any]) -> None:
        if host_matching:
            values.setdefault("host", g.get("host", "plain.example"))

    @app.before_request
    def look() -> Any:
        g.seen = [str(getattr(request, name)) for name in READABLE]
        # Werkzeug parses some If-Range headers that it cannot serialize.
        g.seen += [str(request.if_range.etag), str(request.if_range.date)]
        # Its __str__ returns the header, even if that is not a string. Then str() fails here, not in Werkzeug.
        g.seen += [repr(request.user_agent)]
        return "answered by a hook" if request.headers.get("X-Hook") else None

    @app.after_request
    def sign(response: Response) -> Response:
        response.headers["X-Seen"] = str(len(g.get("seen", ())))
        return response

    @app.teardown_request
    def look_again(error: BaseException | None) -> None:
        assert request.path is not None

    @app.errorhandler(404)
    def missing(error: Exception) -> Any:
        return {"missing": request.path}, 404

    @app.errorhandler(400)
    def refused(error: Exception) -> Any:
        # The session is None if the cookies were invalid.
        return f"{error} {dict(session or {})}", 400

    @route("/")
    def index() -> str:
        return f"{request.args.to_dict(flat=False)} {request.values} {get_flashed_messages()} {dict(session)}"

    @route("/int/<int:value>")
    @route("/signed/<int(signed=True, max=9999):value>")
    @route("/float/<float:value>")
    @route("/uuid/<uuid:value>")
    @route("/any/<any(one, two):value>")
    @route("/short/<string(length=2):value>")
    @route("/path/<path:value>")
    @route("/word/<value>/")
    def converted(value: Any) -> str:
        assert request.endpoint == "converted"
        return f"{value!r} {url_for('word', value=value, more=value)} {url_for('word', value=value, _external=True)}"

    @route("/word/<value>/more")
    def word(value: str) -> str:
        return value

    @route("/form", methods=["GET", "POST", "PUT"])
    def form() -> str:
        files = {name: (file.filename, file.mimetype, len(file.read())) for name, file in request.files.items(True)}
        return f"{request.form.to_dict(flat=False)} {files} {request.form.get('number', type=int)}"

    @route("/key", methods=["GET", "POST"])
    def key() -> str:
        return request.form["key"] + request.args["key"]

    @route("/json", methods=["GET", "POST"])
    def read_json() -> Any:
        return jsonify(request.get_json())

    @route("/data", methods=["GET", "POST", "DELETE", "BREW"])
    def data() -> bytes:
        return request.get_data()

    @route("/login", methods=["GET", "POST"])
    def login() -> Any:
        session["user"] = request.args.get("user")
        session.permanent = "keep" in request.args
        flash(request.host)
        answer = redirect(url_for("word", value=request.args.get("user") or "nobody"))
        # Werkzeug 3.1 quotes every character of a cookie value except these six.
        answer.set_cookie("user", re.sub("[\x1a-\x1f]", "", request.cookies.get("user", "nobody")))
        return answer

    @route("/logout")
    def logout() -> Any:
        session.clear()
        return redirect(request.args.get("to", "/"), 303)

    @route("/stream", methods=["GET", "POST"])
    def stream() -> Response:
        def parts() -> Iterator[str]:
            try:
                yield request.path
                yield str(session.get("user"))
                yield request.url
            finally:
                Streams.open -= 1

        Streams.open += 1
        answer = parts()
        # Start the generator, so that closing it early still runs its finally block.
        first = next(answer)
        return Response(stream_with_context(chain_of(first, answer)))

    @route("/conditional")
    def conditional() -> Any:
        answer = Response("a body to take parts of")
        answer.add_etag()
        return answer.make_conditional(request, accept_ranges=True, complete_length=23)

    @route("/abort/<any('400', '401', '404', '405', '410', '413', '416', '418', '429'):code>")
    def refuse(code: str) -> None:
        abort(int(code))

    return app


def chain_of(first: str, rest: Iterator[str]) -> Iterator[str]:
    try:
        yield first
        yield from rest
    finally:
        rest.close()  # type: ignore[attr-defined]


APPS = {
    "plain": make_app(),
    "limited": make_app(
        MAX_CONTENT_LENGTH=20, MAX_FORM_PARTS=2, MAX_FORM_MEMORY_SIZE=10, SESSION_COOKIE_DOMAIN="a.example"
    ),
    "trusting": make_app(TRUSTED_HOSTS=["plain.example", ".shop.example"], MAX_CONTENT_LENGTH=1000),
    "named": make_app(SERVER_NAME="plain.example", APPLICATION_ROOT="/root"),
    "with subdomains": make_app(SERVER_NAME="plain.example", subdomain_matching=True),
    "with hosts": make_app(host_matching=True),
}


# --- Serving


class Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes


TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
STATUS = re.compile(r"[2-4]\d\d [ -~]+")
VALUE = re.compile(r"[\t -~\x80-\xff]*")


def serve(app: Flask, environ: dict[str, Any], parts: int | None = None) -> Answer:
    """Call the application as a server does, and check that the response conforms to WSGI.

    :param parts: the number of parts of the body to read; default: all of them.
    """
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        assert started == []
        assert exc_info is None
        started.append((status, headers))
        return lambda data: pytest.fail("the application called write()")

    answer = app(environ, start_response)
    body = []
    try:
        for number, part in enumerate(answer):
            assert started
            assert type(part) is bytes
            if number == parts:
                break
            body.append(part)
    finally:
        getattr(answer, "close", lambda: None)()
    ((status, headers),) = started
    assert type(status) is str
    assert STATUS.fullmatch(status)
    assert type(headers) is list
    for name, value in headers:
        assert type(name) is type(value) is str
        assert TOKEN.fullmatch(name)
        assert VALUE.fullmatch(value)
    code = int(status[:3])
    names = {name.lower() for name, _ in headers}
    assert "status" not in names
    assert ("content-type" in names) <= (code not in {204, 304})
    if code in {204, 304}:
        assert not b"".join(body)
    return Answer(code, headers, b"".join(body))


PLAIN = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/",
    "QUERY_STRING": "",
    "SERVER_NAME": "plain.example",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "127.0.0.1",
    "HTTP_HOST": "plain.example",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
}


class Broken(BytesIO):
    """A request body whose client disconnects."""

    def read(self, *args: Any) -> bytes:
        raise ConnectionResetError("the client has gone")

    readline = readinto = readlines = __next__ = read1 = read  # type: ignore[assignment]


def with_body(environ: dict[str, Any], body: bytes | None) -> dict[str, Any]:
    return {"wsgi.input": Broken() if body is None else BytesIO(body), "wsgi.errors": StringIO(), **environ}


# --- Requests

MISSING = object()
"""Used as a value: removes the key from the environ."""

# Bytes decoded as WSGI requires, any text including lone surrogates, and fragments that have broken other parsers.
raw = st.text(st.characters(max_codepoint=255), max_size=12)
anything = st.text(st.characters(), max_size=6)
PIECES = [
    *r"""
    .. . // /// %2e%2e %00 %ff %F0%9F %0d%0a a=1 &&& ;;; ,,, "" \ ' ( < [ { xn--a xn--nxasmq6b * ? # @ : :: :0 :80
    :65536 :99999999999 0 -1 +1 1e9 1_000 NaN inf utf-8 utf-16 idna base64 rot13 bytes=0-0 bytes=-5 bytes=9-1
    bytes=0-9999999999 q=1 q=-1 q=NaN "; charset= boundary= name=" filename*=utf-8''%ff *0*= Basic Bearer Digest
    gzip chunked identity W/"a" 1994 GMT UTC+9999 session= ; = 06 Nov Sun, max-age= max-stale no-cache "a" a b
    """.split(),
    *("\xb2", "\xff\xfe", "\x0b", "\t", "\r\n", "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 99999 08:49:37 GMT"),
]
pieces = st.lists(st.sampled_from(PIECES) | raw, max_size=5)
long = st.builds(
    str.__mul__, st.sampled_from(["9", "a", "[", "\xe9", "/", "=", "a.", "(", ","]), st.sampled_from([64, 300, 5000])
)
text = raw | pieces.map("".join) | pieces.map(" ".join) | anything | long
no_text = st.none() | st.integers() | st.binary(max_size=4) | st.floats() | st.just(["a"]) | st.just({"a": 1})
odd = text | no_text | st.just(MISSING)


def mostly(usual: st.SearchStrategy[Any], other: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw from ``other`` one time in eight. If it were more, few requests would reach a view."""
    return st.integers(0, 7).flatmap(lambda number: other if number == 7 else usual)


whole = st.sampled_from(
    """/ /form /form /form /key /json /data /login /logout /stream /conditional /word/a/more /word/a/ /word/a /int/7
    /signed/-7 /float/1.5 /uuid/00000000-0000-0000-0000-000000000000 /any/one /short/ab /path/a/b /abort/404""".split()
)
paths = mostly(
    whole, st.builds(str.__add__, whole | st.sampled_from(["/int/", "/float/", "/word/", "/path/", ""]), text)
)
methods = mostly(
    st.sampled_from(
        "GET GET GET GET GET GET HEAD POST POST POST POST PUT DELETE OPTIONS PATCH TRACE BREW get Post".split()
    ),
    text,
)
fields = st.lists(
    st.tuples(st.sampled_from(["user", "key", "keep", "to", "number"]) | text, text).map("=".join), max_size=3
)
hosts = mostly(
    st.sampled_from("plain.example a.plain.example PLAIN.example. plain.example:8080 [::1]:80 shop.example".split()),
    text,
)
cookies = st.lists(st.tuples(st.sampled_from(["session", "user", ""]) | text, text).map("=".join), max_size=3)
FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"
kinds = mostly(
    st.sampled_from(
        [
            FORM, FORM, MULTIPART, MULTIPART, "application/json", "application/json; charset=utf-16",
            "multipart/form-data", "text/plain; charset=nonsense", "multipart/mixed; boundary=b",
            "application/vnd.api+json",
        ]
    ),
    text,
)  # fmt: skip
PARTS = [
    b"--b\r\n", b"--b\r\n", b"\r\n--b--", b"\r\n", b"\n", b"\r\n\r\n", b'Content-Disposition: form-data; name="key"',
    b'; filename="a"', b"; filename*=utf-8''%ff", b"Content-Type: text/plain; charset=idna", b"Content-Length: x", b"a",
    b"Content-Disposition: form-data", b"Content-Transfer-Encoding: base64", b" folded", b"\xff", b"--c",
]  # fmt: skip
bodies = (
    st.none()
    | st.binary(max_size=40)
    | fields.map(lambda pairs: "&".join(pairs).encode("utf-8", "surrogatepass"))
    | st.lists(st.sampled_from(PARTS), max_size=14).map(b"".join)
    | st.sampled_from(
        [b"null", b'{"a": [1, NaN]}', b'"\\ud800"', b"[" * 5000, b"9" * 5000, b"{", "\xe9".encode("utf-16")]
    )
)
lengths = mostly(st.sampled_from(["", "0", "1", "10", "30", "-1", "+1", "1.5", "1_0", "9" * 20, " 5", "\xb2"]), odd)
headers = st.sampled_from(
    """ACCEPT ACCEPT_CHARSET ACCEPT_ENCODING ACCEPT_LANGUAGE AUTHORIZATION CACHE_CONTROL COOKIE DATE EXPECT IF_MATCH
    IF_MODIFIED_SINCE IF_NONE_MATCH IF_RANGE IF_UNMODIFIED_SINCE MAX_FORWARDS ORIGIN PRAGMA RANGE REFERER UPGRADE
    CONNECTION TRANSFER_ENCODING USER_AGENT X_FORWARDED_FOR X_FORWARDED_HOST X_HOOK HOST CONTENT_ENCODING CONTENT_MD5
    ACCESS_CONTROL_REQUEST_METHOD ACCESS_CONTROL_REQUEST_HEADERS""".split()
).map("HTTP_".__add__)
others = (
    headers
    | anything
    | st.sampled_from(
        [*PLAIN, "wsgi.errors", "wsgi.input", "wsgi.input_terminated", "REMOTE_USER", "CONTENT_TYPE", "HTTPS"]
    )
)
environs = st.fixed_dictionaries(
    {"PATH_INFO": paths, "REQUEST_METHOD": methods},
    optional={
        "QUERY_STRING": fields.map("&".join),
        "HTTP_HOST": hosts,
        "HTTP_COOKIE": cookies.map("; ".join),
        "CONTENT_TYPE": kinds,
        "CONTENT_LENGTH": lengths,
        "SCRIPT_NAME": mostly(st.sampled_from(["", "/root", "root", "/", "//", "/\xff"]), text),
    },
)
more = mostly(st.dictionaries(headers, text, max_size=3), st.dictionaries(others, odd, max_size=2))


def examples(*environs: dict[str, Any]) -> Any:
    """Always try these environs, each of which once got a wrong response or none."""

    def decorate(test: Any) -> Any:
        for environ in environs:
            test = example(environ=environ, more={}, body=b"", parts=None)(test)
        return test

    return decorate


# Werkzeug warns about hosts that differ from SERVER_NAME, and about long cookies.
@pytest.mark.filterwarnings("ignore:Current server name", "ignore:The '.*' cookie is too large")
@pytest.mark.parametrize("name", APPS)
# An ordinary run repeats the same requests, so that a failure points to the latest change.
@settings(max_examples=-(-FUZZ_EXAMPLES // len(APPS)), deadline=None, derandomize="FUZZ_EXAMPLES" not in os.environ)
@examples(
    # Werkzeug joins host and SCRIPT_NAME, then fails to find the port.
    {"HTTP_HOST": "plain.example:8080", "SCRIPT_NAME": "root"},
    {"SCRIPT_NAME": "xn--a"},
    # Werkzeug cannot build the redirect.
    {"PATH_INFO": "/login", "HTTP_HOST": "[::1]:80", "SCRIPT_NAME": "\x80"},
    {"PATH_INFO": "/login", "HTTP_HOST": "[::1]:80", "SCRIPT_NAME": "\x1f"},
    {"PATH_INFO": "/int/" + 5000 * "9"},
    {"HTTP_COOKIE": None},
    {"HTTP_AUTHORIZATION": "Basic \x80"},
    {"PATH_INFO": "/login", "HTTP_HOST": "[::1]:80"},
    {"PATH_INFO": "/login", "HTTP_COOKIE": "user=" + 5000 * "9"},
    {"PATH_INFO": "/login", "HTTP_COOKIE": "user=\x1a"},
    {"HTTP_IF_RANGE": 'W/"a"='},
    {"PATH_INFO": "/json", "CONTENT_TYPE": "application/json", "wsgi.input": {}},
)
@given(environ=environs, more=more, body=bodies, parts=st.none() | st.integers(0, 2))
def test_requests_are_answered(
    name: str, environ: dict[str, Any], more: dict[str, Any], body: bytes | None, parts: int | None
) -> None:
    app = APPS[name]
    asked = {**with_body(PLAIN, body), **environ, **more}
    if body and "CONTENT_LENGTH" not in asked:
        asked["CONTENT_LENGTH"] = str(len(body))
    if body is None:
        # With this key, Werkzeug returns the server's stream, and the disconnect would be an unhandled error.
        asked.pop("wsgi.input_terminated", None)
    answer = serve(app, {key: value for key, value in asked.items() if value is not MISSING}, parts)
    assert 200 <= answer.status < 500
    assert _request_ctx_stack._local.__storage__ == {}
    assert _app_ctx_stack._local.__storage__ == {}
    assert in_flight() == []
    assert Streams.open == 0
    plain = serve(app, with_body(PLAIN, b""))
    assert plain.status == 200
    assert plain.body == b"{} CombinedMultiDict([ImmutableMultiDict([])]) [] {}"
