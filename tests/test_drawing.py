from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any, Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schlenk.drawing import html, svg
from tests.support.records import HOSTILE, hostile, printable, record, step

SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = ("svg", "title", "desc", "style", "rect", "path", "text")


class Page(HTMLParser):
    """The elements of a page, and the text in the elements of each name."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.others: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.elements[-1][0], data))

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def of(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]

    @property
    def details(self) -> dict[str, str]:
        return dict(zip(self.of("dt"), self.of("dd")))


def drawn(page: str) -> Any:
    """Return the stacks that the script draws."""
    (found,) = re.findall(r'<script type="application/json" id="drawn">(.*)</script>', page)
    return json.loads(found)


def in_image(image: str, name: str = "text") -> list[str]:
    return [found.text or "" for found in ElementTree.fromstring(image).iter(SVG + name)]


def boxes(image: str, stack: str) -> list[str]:
    """Return the labels in the boxes of a stack."""
    elements = list(ElementTree.fromstring(image))
    pairs = zip(elements, elements[1:])
    return [text.text or "" for box, text in pairs if box.tag == f"{SVG}rect" and box.get("class") == stack]


def for_hostile_texts(test: Callable[[str], None]) -> Callable[[], None]:
    texts = st.text(st.characters() | st.sampled_from(HOSTILE), min_size=1).filter(str.strip)
    # Without a deadline, because the machine may be busy.
    made: Callable[[], None] = settings(deadline=None)(example(HOSTILE)(given(texts)(test)))
    return made


@for_hostile_texts
def test_page_escapes_client_text(text: str) -> None:
    page = Page(html(hostile(text)))
    harmless = Page(html(hostile("x")))
    assert page.elements == harmless.elements
    assert page.others == []


@for_hostile_texts
def test_page_shows_hostile_text(text: str) -> None:
    page = Page(html(hostile(text)))
    assert page.of("h1") == page.of("title") == [printable(text)]
    assert page.of("span").count(printable(text)) >= 2
    assert page.of("dd").count(printable(text)) >= 11


@for_hostile_texts
def test_page_script_gets_hostile_text(text: str) -> None:
    label = printable(text)
    assert drawn(html(hostile(text)))[0] == [[[label, ""], [label, ""]], [[label, ""], [label, ""]]]


@for_hostile_texts
def test_page_can_be_encoded(text: str) -> None:
    page = html(hostile(text))
    assert page.encode().decode() == page
    assert not {"\0", "\u2028", "\u202e"} & set(page)


@for_hostile_texts
def test_image_has_no_markup_of_client(text: str) -> None:
    image = ElementTree.fromstring(svg(hostile(text)).encode())
    assert {element.tag for element in image.iter()} == {SVG + name for name in ELEMENTS}
    assert image.findtext(f"{SVG}title") == printable(text)


def test_image_cuts_long_text() -> None:
    image = svg(record(step("x" * 100, request_stack=["GET /" + "y" * 50]), title="z" * 100))
    assert "x" * 43 + "…" in in_image(image)
    assert "GET /" + "y" * 22 + "…" in in_image(image)
    assert "z" * 79 + "…" in in_image(image)


def test_image_cuts_wide_text() -> None:
    assert "\u6771" * 21 + "…" in in_image(svg(record(step("\u6771" * 100))))


def test_policy_allows_own_script_and_style() -> None:
    page = html(record(step()))
    expected = "default-src 'none'; "
    for directive, element in (("style", "style"), ("script", "script")):
        (source,) = re.findall(f"<{element}>(.*?)</{element}>", page, re.DOTALL)
        digest = b64encode(sha256(source.encode()).digest()).decode()
        expected += f"{directive}-src 'sha256-{digest}'; "
    expected += "base-uri 'none'; form-action 'none'"
    (policy,) = [of for tag, of in Page(page).elements if "http-equiv" in of]
    assert policy == {"http-equiv": "Content-Security-Policy", "content": expected}


def test_page_refers_to_nothing() -> None:
    elements = Page(html(record(step()))).elements
    assert not [of for _, of in elements if of.keys() & {"href", "src", "srcset", "action", "style", "onclick"}]
    assert "url(" not in html(record(step()))


def test_page_lists_steps_without_script() -> None:
    page = Page(
        html(
            record(
                step(
                    "before_request load_user",
                    kind="hook",
                    function="shop.load_user",
                    where="shop.py:12",
                    result="None",
                    note="wins",
                    app_stack=["shop", "other"],
                    request_stack=["GET /cart"],
                )
            )
        )
    )
    assert page.of("span") == ["before_request load_user", "2.000 ms"]
    assert page.details == {
        "function": "shop.load_user",
        "where": "shop.py:12",
        "in": "MainThread",
        "began": "after 0.000 ms",
        "took": "2.000 ms",
        "result": "None",
        "note": "wins",
        "app contexts": "shop, other",
        "request contexts": "GET /cart",
    }


def test_page_says_which_error() -> None:
    page = Page(html(record(step(error="ValueError: no"))))
    assert page.of("b") == ["✕"]
    assert page.of("span") == ["view cart", " raised ValueError", "2.000 ms"]
    assert page.details["raised"] == "ValueError: no"


def test_page_marks_changes() -> None:
    assert Page(html(record(step(kind="push"), step(), step(kind="pop")))).of("b") == ["+", "\u2212"]


def test_page_indents_parts() -> None:
    page = Page(html(record(step(), step(depth=2), step(depth=100))))
    assert [tag for tag, _ in page.elements].count("i") == 2 + 12


def test_page_tells_owners_apart() -> None:
    steps = [step(owner=owner) for owner in (0, 1, 1, 0)]
    page = Page(html(record(*steps, owners=["main", "worker"])))
    labels = [of["class"] for tag, of in page.elements if tag == "div" and (of.get("class") or "").startswith("owner")]
    assert labels == ["owner", "owner", "owner seen", "owner"]
    assert page.of("div")[:4] == ["main", "worker", "worker", "main"]


def test_page_does_not_label_single_owner() -> None:
    assert 'class="owner' not in html(record(step()))


def test_page_shows_other_owners() -> None:
    of_worker = {"owner": 1, "app_stack": ["shop"], "request_stack": ["GET /", "GET /cart"]}
    steps = [
        step("before", begin=0.000, end=0.001),
        step("during", begin=0.001, end=0.003),
        step("push", begin=0.002, end=0.004, **of_worker, app_stack_before=[], request_stack_before=[]),
        step("running", begin=0.005, end=None, **of_worker),
        step("pop", begin=0.006, end=0.008, app_stack_before=["shop"]),
        step("beside", begin=0.0061, end=0.007, owner=2),
    ]
    page = Page(html(record(*steps, owners=["main", "worker", "other"])))
    details = "".join(f"<{name}>{text}" for name, text in page.texts if name in ("dt", "dd"))
    meanwhile = [re.findall("<dt>meanwhile<dd>([^<]+)", part) for part in details.split("<dt>in<dd>")[1:]]
    worker = "worker: shop / GET /, GET /cart"
    assert meanwhile == [[], [], [], [], [worker], [f"{worker}; main: shop / none"]]


def test_page_counts_most_others() -> None:
    steps = [step(owner=owner, begin=owner, end=owner, app_stack=["shop"]) for owner in range(7)]
    page = Page(html(record(*steps, owners=list("abcdefg"))))
    assert page.of("dd")[-3] == "a: shop / none; b: shop / none; c: shop / none; d: shop / none; and 2 more"


def test_page_shows_step_that_has_not_ended() -> None:
    page = Page(html(record(step(begin=0.001), step(begin=0.002, end=None))))
    assert page.of("span")[-1] == page.details["took"] == "running"
    assert page.details["began"] == "after 1.000 ms"
    bars = [of for tag, of in page.elements if tag == "rect"]
    assert [(bar["x"], bar["width"]) for bar in bars] == [("0.00", "66.67"), ("33.33", "66.67")]


def test_page_bar_of_short_step_is_visible() -> None:
    page = Page(html(record(step(end=0.001))))
    assert [of["width"] for tag, of in page.elements if tag == "rect"] == ["1.00"]


def test_page_counts_steps() -> None:
    about = " · recorded with schlenk 0.1.0 on Python 3.11.7"
    assert f"shop · 1 step in 2.000 ms{about}" in Page(html(record(step()))).of("p")
    assert f"shop · 2 steps in 2.000 ms{about}" in Page(html(record(step(), step()))).of("p")


def test_page_of_nothing() -> None:
    page = Page(html(record(title="", app="", owners=[])))
    assert page.of("h1") == ["No request"]
    assert page.of("p")[0] == "0 steps in 0.000 ms · recorded with schlenk 0.1.0 on Python 3.11.7"


def test_stack_is_drawn_top_first() -> None:
    stacks = drawn(html(record(step(app_stack=["shop", "other"], request_stack=[]))))
    assert stacks == [[[["other", ""], ["shop", ""]], []]]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([], ["a", "b"], [["b", "pushed"], ["a", "pushed"]]),
        (["a", "b"], ["a"], [["b", "popped"], ["a", ""]]),
        (["a", "b"], [], [["b", "popped"], ["a", "popped"]]),
        (["a", "b"], ["a", "c"], [["b", "popped"], ["c", "pushed"], ["a", ""]]),
        (["a"], ["a"], [["a", ""]]),
    ],
)
def test_stack_shows_what_step_changed(before: list[str], after: list[str], expected: list[list[str]]) -> None:
    made = step(app_stack=after, app_stack_before=before, request_stack=["r"], request_stack_before=["r"])
    assert drawn(html(record(made))) == [[expected, [["r", ""]]]]


def test_image_shows_the_record() -> None:
    image = svg(
        record(
            step("push", kind="push", app_stack=["shop"], request_stack=["GET /", "GET /cart"]),
            step("pop", kind="pop", depth=1, end=None),
        )
    )
    texts = in_image(image)
    assert texts[:4] == ["GET /cart?id=1", in_image(image, "desc")[0], "app contexts", "request contexts"]
    assert texts[4:] == [
        "+",
        "push",
        "2.000 ms",
        "shop",
        "GET /",
        "GET /cart",
        *"\u2212|pop|running|empty|empty".split("|"),
    ]
    assert boxes(image, "app") == ["shop"]
    assert boxes(image, "request") == ["GET /", "GET /cart"]


def test_image_indents_parts() -> None:
    image = ElementTree.fromstring(svg(record(step("a"), step("b", depth=1), step("c", depth=100))))
    left = {found.text: float(found.get("x", "")) for found in image.iter(f"{SVG}text")}
    assert left["b"] - left["a"] == 16
    assert left["c"] - left["a"] == 12 * 16


def test_image_marks_errors() -> None:
    texts = in_image(svg(record(step(error="ValueError: no"))))
    assert texts[4:7] == ["✕", "view cart", " ValueError: no"]


def test_image_tells_owners_apart() -> None:
    texts = in_image(svg(record(step("a"), step("b", owner=1), owners=["main", "worker"])))
    assert texts[texts.index("a") + 1] == "main"
    assert texts[texts.index("b") + 1] == "worker"


def test_image_columns_are_apart() -> None:
    long = {"app_stack": ["shop" * 5] * 3, "request_stack": ["GET /cart"] * 2, "error": "ValueError: " + "x" * 40}
    image = ElementTree.fromstring(svg(record(step(**long), step(owner=1, depth=9), owners=["main", "worker" * 9])))
    rows: dict[str, list[tuple[float, float]]] = {}
    for found in image.iter(f"{SVG}text"):
        x = float(found.get("x", ""))
        rows.setdefault(found.get("y", ""), []).append((x, x + float(found.get("textLength", ""))))
    for row in rows.values():
        assert all(right <= left for (_, right), (left, _) in zip(row, row[1:]))
        assert row[-1][1] <= float(image.get("width", "")) - 24


def test_image_of_nothing() -> None:
    assert in_image(svg(record(title="", app="", owners=[])), "title") == ["No request"]
