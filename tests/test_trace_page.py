"""The page of a recorded request, used in a real browser as a person would use it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schlenk import Flask
from schlenk.drawing import html, svg
from schlenk.trace import trace
from tests.support.browser import Browser, browser, executable
from tests.support.records import HOSTILE, hostile, printable, record, step

PROGRAM = executable()
if PROGRAM is None:
    pytest.skip("no Chromium was found: install the Debian package chromium-headless-shell", allow_module_level=True)

WIDE, NARROW = (1280, 800), (390, 844)
BOTH = {"app_stack": ["shop"], "request_stack": ["GET /cart"]}
STEPS = [
    step("wsgi_app", kind="request", result="Response 200 OK", begin=0.0, end=0.004),
    step("push", kind="push", depth=1, parent=0, **BOTH, app_stack_before=[], request_stack_before=[]),
    step("view cart", depth=1, parent=0, error="ValueError: no", where="shop.py:12", **BOTH),
    step("pop", kind="pop", depth=1, parent=0, app_stack_before=["shop"], request_stack_before=["GET /cart"]),
    step("view work", owner=1, app_stack=["shop", "other"], request_stack=["GET /", "POST /"]),
]
SHOP = record(*STEPS, owners=["MainThread", "worker-1"])

DRAWN = """(() => {
  const shown = (selector) => [...document.querySelectorAll(selector)].map(element => element.innerText.trim());
  return {
    selected: [...document.querySelectorAll("[aria-selected=true]")].map(item => item.id),
    active: document.querySelector("#steps").getAttribute("aria-activedescendant"),
    app: shown(".app li"),
    request: shown(".request li"),
    count: shown("#count"),
    slider: document.querySelector("#slider").value,
  };
})()"""

# The visible text with the lowest contrast to its background, and that contrast.
CONTRAST = """(() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    const color = rgba(getComputedStyle(element).backgroundColor);
    return color[3] === 255 || !element.parentElement ? color : behind(element.parentElement);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let worst = [99, ""];
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.tagName === "SCRIPT") continue;
    const [a, b] = [light(rgba(getComputedStyle(element).color)), light(behind(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < worst[0]) worst = [contrast, walker.currentNode.data];
  }
  return worst;
})()"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    assert PROGRAM
    with browser(PROGRAM, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def window(chromium: Browser, tmp_path: Path) -> Iterator[Browser]:
    """A browser in which opened pages may load nothing and complain about nothing."""
    chromium.look(*WIDE)
    yield chromium
    assert chromium.complaints == []
    assert [url for url in chromium.requests if not url.startswith(tmp_path.as_uri())] == []
    assert len(chromium.requests) == 1


@pytest.fixture
def page(window: Browser, tmp_path: Path) -> Browser:
    return opened(window, tmp_path, SHOP)


@pytest.fixture(params=[(*WIDE, "light"), (*WIDE, "dark"), (*NARROW, "light"), (*NARROW, "dark")], ids=str)
def any_page(window: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Browser:
    window.look(*request.param)
    return opened(window, tmp_path, SHOP)


def opened(window: Browser, folder: Path, drawn: dict[str, Any]) -> Browser:
    (folder / "way.html").write_text(html(drawn), encoding="utf-8")
    window.open(folder / "way.html")
    return window


def expected(number: int, drawn: dict[str, Any] = SHOP) -> dict[str, Any]:
    """Return the contexts that are drawn after a step, without those that it popped."""
    made = drawn["steps"][number]
    return {
        "selected": [f"step-{number}"],
        "active": f"step-{number}",
        "app": made["app_stack"][::-1] or ["empty"],
        "request": made["request_stack"][::-1] or ["empty"],
        "count": [f"{number + 1} of {len(drawn['steps'])}"],
        "slider": str(number),
    }


def drawn(page: Browser) -> dict[str, Any]:
    found: dict[str, Any] = page.run(DRAWN)
    for stack in ("app", "request"):
        lines = [box.split("\n") for box in found[stack]]
        found[stack] = [box[0] for box in lines if box[-1] != "popped"]
    return found


def property_of(page: Browser, selector: str, name: str) -> Any:
    return page.run(f"getComputedStyle(document.querySelector({json.dumps(selector)})).{name}")


def nodes(page: Browser, role: str) -> list[dict[str, Any]]:
    """Return the names and properties of elements with a role, as a screen reader gets them."""
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    return [
        {
            "name": node["name"]["value"],
            **{prop["name"]: prop["value"].get("value") for prop in node["properties"]},
        }
        for node in tree
        if not node["ignored"] and node["role"]["value"] == role
    ]


def test_page_opens_at_first_step(any_page: Browser) -> None:
    assert drawn(any_page) == expected(0)
    assert any_page.text("h1") == "GET /cart?id=1"


def test_arrows_draw_each_step(any_page: Browser) -> None:
    for number in (1, 2, 3, 4, 4):
        any_page.press("ArrowDown")
        assert drawn(any_page) == expected(number)
    for number in (3, 2, 1, 0, 0):
        any_page.press("ArrowUp")
        assert drawn(any_page) == expected(number)


def test_right_and_left_step(page: Browser) -> None:
    page.press("ArrowRight")
    assert drawn(page) == expected(1)
    page.press("ArrowLeft")
    assert drawn(page) == expected(0)


def test_end_and_home_jump(any_page: Browser) -> None:
    any_page.press("End")
    assert drawn(any_page) == expected(4)
    any_page.press("Home")
    assert drawn(any_page) == expected(0)


def test_click_selects_step(any_page: Browser) -> None:
    for number in (3, 1, 4):
        any_page.click(f"#step-{number} .row")
        assert drawn(any_page) == expected(number)


def test_buttons_step(any_page: Browser) -> None:
    any_page.click("#next")
    any_page.click("#next")
    assert drawn(any_page) == expected(2)
    any_page.click("#previous")
    assert drawn(any_page) == expected(1)


def test_slider_selects_step(any_page: Browser) -> None:
    any_page.click("#slider", right=0.5)
    assert drawn(any_page) == expected(2)
    any_page.click("#slider", right=0.99)
    assert drawn(any_page) == expected(4)


def test_slider_has_its_own_keys(page: Browser) -> None:
    page.click("#slider", right=0.5)
    page.press("ArrowUp")
    assert drawn(page) == expected(3)


def test_keys_with_control_are_left_alone(page: Browser) -> None:
    page.press("ArrowDown", modifiers=2)
    assert drawn(page) == expected(0)


@pytest.fixture
def playing(window: Browser, tmp_path: Path) -> Iterator[Browser]:
    """A browser with a page whose timer fires when the test calls ``tick()``."""
    added = window.call("Page.addScriptToEvaluateOnNewDocument", source=TIMER)
    yield opened(window, tmp_path, SHOP)
    window.call("Page.removeScriptToEvaluateOnNewDocument", **added)


TIMER = "tick = null; setInterval = (call) => { tick = call; return 1; }; clearInterval = () => { tick = null; };"


def test_play_draws_in_order(playing: Browser) -> None:
    playing.click("#play")
    for number in (1, 2, 3, 4):
        assert playing.text("#play") == "Pause"
        playing.run("tick()")
        assert drawn(playing) == expected(number)
    assert playing.text("#play") == "Play"
    assert playing.run("tick === null")


def test_play_begins_again_at_end(playing: Browser) -> None:
    playing.press("End")
    playing.click("#play")
    assert drawn(playing) == expected(0)
    playing.run("tick()")
    assert drawn(playing) == expected(1)


def test_pause_stays_at_step(playing: Browser) -> None:
    playing.press(" ")
    playing.run("tick()")
    playing.press(" ")
    assert playing.run("tick === null")
    assert drawn(playing) == expected(1)


def test_key_ends_playing(playing: Browser) -> None:
    playing.click("#play")
    playing.press("ArrowDown")
    assert playing.run("tick === null")
    assert playing.text("#play") == "Play"


def test_play_needs_no_help(page: Browser) -> None:
    page.click("#step-3 .row")
    page.click("#play")
    page.run(
        """new Promise((end) => {
          const play = document.querySelector("#play");
          const look = () => play.textContent === "Play" && end();
          new MutationObserver(look).observe(play, {childList: true});
          look();
        })"""
    )
    assert drawn(page) == expected(4)


def test_space_presses_button(page: Browser) -> None:
    page.run("document.querySelector('#next').focus()")
    page.press(" ")
    assert drawn(page) == expected(1)
    assert page.text("#play") == "Play"


def test_popped_are_marked(page: Browser) -> None:
    page.click("#step-3 .row")
    assert page.text(".app .popped").split("\n") == ["shop", "popped"]
    assert page.text(".request .popped").split("\n") == ["GET /cart", "popped"]


def test_pushed_are_marked(page: Browser) -> None:
    page.click("#step-1 .row")
    assert page.text(".app .pushed").split("\n") == ["shop", "pushed"]
    assert page.text(".request .pushed").split("\n") == ["GET /cart", "pushed"]


def test_details_are_of_step(page: Browser) -> None:
    page.click("#step-2 .row")
    shown = page.text("#detail").split("\n")
    assert [shown[0], *filter(None, shown[1:])] == [
        "view cart",
        *("where", "shop.py:12"),
        *("in", "MainThread"),
        *("began", "after 1.000 ms"),
        *("took", "2.000 ms"),
        *("raised", "ValueError: no"),
        *("meanwhile", "worker-1: shop, other / GET /, POST /"),
    ]


def test_narrow_page_shows_details_in_list(window: Browser, tmp_path: Path) -> None:
    window.look(*NARROW)
    opened(window, tmp_path, SHOP).click("#step-2 .row")
    assert "ValueError: no" in window.text("#step-2")
    assert not window.run("document.querySelector('#step-1 dl').checkVisibility()")


@pytest.mark.parametrize(("size", "columns"), [(WIDE, 2), (NARROW, 1)])
def test_width_decides_columns(window: Browser, tmp_path: Path, size: tuple[int, int], columns: int) -> None:
    window.look(*size)
    opened(window, tmp_path, SHOP)
    script = "['.list', '#stage'].map(s => Math.round(document.querySelector(s).getBoundingClientRect().x))"
    assert len(set(window.run(script))) == columns


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_long_text_does_not_widen_page(window: Browser, tmp_path: Path, size: tuple[int, int]) -> None:
    window.look(*size)
    opened(window, tmp_path, hostile(HOSTILE * 5 + "x" * 500))
    assert window.run("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_selected_step_is_in_view(window: Browser, tmp_path: Path, size: tuple[int, int]) -> None:
    window.look(*size)
    many = record(*(step(f"step {number}", **BOTH) for number in range(100)))
    opened(window, tmp_path, many)
    on_top = """(() => {
      const {x, y} = document.querySelector("[aria-selected=true] .name").getBoundingClientRect();
      return document.elementFromPoint(x + 2, y + 4).innerText;
    })()"""
    for key, number in (("End", 99), ("ArrowUp", 98), ("Home", 0), ("ArrowDown", 1)):
        window.press(key)
        assert window.run(on_top) == f"step {number}"
    for _ in range(40):
        window.press("ArrowDown")
    for number in range(40, 10, -1):
        window.press("ArrowUp")
        assert window.run(on_top) == f"step {number}"


def test_text_has_contrast(any_page: Browser) -> None:
    for number in range(len(STEPS)):
        any_page.click(f"#step-{number} .row")
        contrast, text = any_page.run(CONTRAST)
        assert contrast >= 4.5, text


def test_error_is_marked_in_words(page: Browser) -> None:
    assert page.text("#step-2 .row").split() == ["✕", "view", "cart", "raised", "ValueError", "2.000", "ms"]


def test_screen_reader_finds_list(page: Browser) -> None:
    page.press("ArrowDown")
    assert [node["name"] for node in nodes(page, "listbox")] == ["Steps"]
    options = nodes(page, "option")
    assert [option["selected"] for option in options] == [False, True, False, False, False]
    assert "view cart raised ValueError" in options[2]["name"]
    assert "worker-1" in options[4]["name"]


def test_controls_are_named(page: Browser) -> None:
    assert [node["name"] for node in nodes(page, "button")] == ["Back", "Play", "Next"]
    assert [node["name"] for node in nodes(page, "slider")] == ["Step"]
    # Chromium's tree does not have this text.
    assert page.run("document.querySelector('#slider').getAttribute('aria-valuetext')") == "1 of 5: wsgi_app"
    names = [node["name"] for node in nodes(page, "list")]
    assert names == ["Application contexts", "Request contexts"]


def test_changes_are_announced(page: Browser) -> None:
    (status,) = nodes(page, "status")
    assert status["live"] == "polite"
    heard = []
    for _ in STEPS:
        heard.append(page.text("#said"))
        page.press("ArrowDown")
    assert heard == [
        "MainThread: unchanged (empty / empty)",
        "MainThread: pushed shop, pushed GET /cart",
        "MainThread: unchanged (shop / GET /cart)",
        "MainThread: popped shop, popped GET /cart",
        "worker-1: unchanged (other, shop / POST /, GET /)",
    ]


@pytest.mark.parametrize(("motion", "animation"), [("reduce", "none"), ("no-preference", "drop")])
def test_motion_is_reduced(window: Browser, tmp_path: Path, motion: str, animation: str) -> None:
    window.look(*WIDE, motion=motion)
    opened(window, tmp_path, SHOP).click("#step-1 .row")
    assert property_of(window, ".pushed", "animationName") == animation


@pytest.mark.parametrize("selector", ["#steps", "#previous", "#play", "#next", "#slider"])
def test_focus_is_visible(page: Browser, selector: str) -> None:
    for _ in range(6):
        if page.run(f"document.activeElement.matches({json.dumps(selector)})"):
            break
        page.press("Tab")
    assert property_of(page, selector, "outlineStyle") == "solid"
    assert property_of(page, selector, "outlineWidth") == "2px"


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_steps_are_readable_without_script(window: Browser, tmp_path: Path, size: tuple[int, int]) -> None:
    window.look(*size, scripts=False)
    (tmp_path / "way.html").write_text(html(SHOP), encoding="utf-8")
    window.open(tmp_path / "way.html")
    window.call("Emulation.setScriptExecutionDisabled", value=False)
    shown = window.text("#step-4").split("\n")
    assert shown[:4] == ["worker-1", "view work", "2.000 ms", "in"]
    assert "shop, other" in shown
    assert not window.run("document.querySelector('#stage').checkVisibility()")


def test_hostile_text_is_shown(window: Browser, tmp_path: Path) -> None:
    opened(window, tmp_path, hostile(HOSTILE))
    assert window.run("document.querySelector('h1').textContent") == printable(HOSTILE)
    assert window.run("document.querySelector('.app li span').textContent") == printable(HOSTILE)
    assert window.run("document.scripts.length") == 2


def test_page_of_nothing_has_no_controls(window: Browser, tmp_path: Path) -> None:
    opened(window, tmp_path, record(owners=[]))
    assert not window.run("document.querySelector('#stage').checkVisibility()")


def test_policy_blocks_network(page: Browser) -> None:
    assert page.run("fetch('http://127.0.0.1:9/').catch(() => 'blocked')") == "blocked"
    assert "Content Security Policy" in page.next_complaint()
    page.complaints.clear()


def test_policy_blocks_scripts(page: Browser) -> None:
    page.run("document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = 1'}))")
    assert page.run("window.ran") is None
    assert "Content Security Policy" in page.next_complaint()


def test_recording_is_drawn(window: Browser, tmp_path: Path) -> None:
    app = Flask("shop")

    @app.before_request
    def load_user() -> None:
        pass

    @app.route("/cart")
    def cart() -> str:
        with app.test_request_context("/nested"):
            raise ValueError("<b>no</b>")

    with trace() as way:
        app.test_client().get("/cart?id=<script>")
    recorded = way.record
    opened(window, tmp_path, recorded)
    assert len(recorded["steps"]) > 10
    for number in range(len(recorded["steps"])):
        assert drawn(window) == expected(number, recorded)
        window.press("ArrowDown")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_image_is_drawn(window: Browser, tmp_path: Path, scheme: str) -> None:
    window.look(*WIDE, scheme)
    (tmp_path / "way.svg").write_text(svg(SHOP), encoding="utf-8")
    window.open(tmp_path / "way.svg")
    texts = "[...document.querySelectorAll('text')].map(e => e.textContent)"
    assert window.run(texts)[4:8] == ["wsgi_app", "MainThread", "4.000 ms", "empty"]
    paper = {"light": "rgb(252, 251, 249)", "dark": "rgb(22, 24, 27)"}
    assert property_of(window, ".paper", "fill") == paper[scheme]
