"""The types of views, hooks and error handlers, for annotations and for the decorators that register them.

>>> from schlenk import Flask
>>> from schlenk.typing import ResponseReturnValue
>>> app = Flask(__name__)
>>> @app.route("/")
... def index() -> ResponseReturnValue:
...     return {"status": "created"}, 201

There are no types for ``async def`` functions, because they are not supported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Callable, Optional, Protocol, TypeVar, Union, overload

from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

ResponseValue = Union[str, bytes, bytearray, Mapping[Any, Any], Response, "WSGIApplication"]
"""A response body, or a complete response. Every mapping except ``dict`` raises ``TypeError`` at run time."""

StatusValue = Union[int, str, bytes, None]
"""A status code such as ``404``, or a status line such as ``"404 Not Found"``."""

HeadersValue = Union[Headers, Mapping[str, Any], Sequence[tuple[str, Any]]]
"""Response headers."""

ResponseReturnValue = Union[
    ResponseValue,
    tuple[ResponseValue, StatusValue],
    tuple[ResponseValue, HeadersValue],
    tuple[ResponseValue, StatusValue, Union[HeadersValue, Iterable[tuple[str, Any]], None]],
]
"""The values that a view, or any other function that produces a response, may return."""

ViewFunction = Callable[..., ResponseReturnValue]
BeforeFirstRequestFunction = Callable[[], object]
BeforeRequestFunction = Callable[[], Optional[ResponseReturnValue]]
# The parameter is an instance of the application's response_class, which only the application knows.
AfterRequestFunction = Callable[[Any], Response]
TeardownFunction = Callable[[Optional[BaseException]], object]
URLValuePreprocessorFunction = Callable[[Optional[str], Optional[dict[str, Any]]], object]
URLDefaultsFunction = Callable[[str, dict[str, Any]], object]

View = TypeVar("View", bound=ViewFunction)
BeforeFirstRequest = TypeVar("BeforeFirstRequest", bound=BeforeFirstRequestFunction)
BeforeRequest = TypeVar("BeforeRequest", bound=BeforeRequestFunction)
AfterRequest = TypeVar("AfterRequest", bound=AfterRequestFunction)
Teardown = TypeVar("Teardown", bound=TeardownFunction)
URLValuePreprocessor = TypeVar("URLValuePreprocessor", bound=URLValuePreprocessorFunction)
URLDefaults = TypeVar("URLDefaults", bound=URLDefaultsFunction)

Error = TypeVar("Error", bound=Exception)
Error_co = TypeVar("Error_co", bound=Exception, covariant=True)
HTTPError = TypeVar("HTTPError", bound=HTTPException)
Answer = TypeVar("Answer", bound=ResponseReturnValue)
AnyErrorHandler = TypeVar("AnyErrorHandler", bound=Callable[[Exception], ResponseReturnValue])
AnyHTTPErrorHandler = TypeVar("AnyHTTPErrorHandler", bound=Callable[[HTTPException], ResponseReturnValue])


class ClassErrorHandlerDecorator(Protocol[Error_co]):
    """The type of ``app.errorhandler(SomeError)``: it accepts handlers whose parameter accepts ``SomeError``."""

    @overload
    def __call__(self, f: AnyErrorHandler, /) -> AnyErrorHandler: ...

    # `Any` lets decorators for several errors be stacked on one handler that accepts them all.
    @overload
    def __call__(self, f: Callable[[Error_co], Answer], /) -> Callable[[Any], Answer]: ...


class StatusErrorHandlerDecorator(Protocol):
    """The type of ``app.errorhandler(404)``: it accepts handlers for ``HTTPException`` or for a subclass of it."""

    @overload
    def __call__(self, f: AnyHTTPErrorHandler, /) -> AnyHTTPErrorHandler: ...

    @overload
    def __call__(self, f: Callable[[HTTPError], Answer], /) -> Callable[[HTTPError], Answer]: ...
