"""The page: what is in it, and what a real browser makes of it. Where `NGRAD_NO_SKIPS=1` says so (.ci/run), a
machine without a browser fails here instead of leaving the tests out."""

import json
import re

import numpy as np
import pytest

import nn
from autograd import Tensor, draw
from tests.browser import Browser

PAINTED = "new Promise((f) => requestAnimationFrame(() => setTimeout(f)))"


def f32(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def data(html):
    """The graph that a page holds."""
    return json.loads(re.search(r'<script id="graph" type="application/json">(.*?)</script>', html, re.S)[1])


def transformer():
    model = nn.Transformer(16, 2, 3, 3, 32).eval()
    return draw(model, f32(1, 5, 16), f32(1, 4, 16), level="block", show="histograms values")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return transformer().save(tmp_path_factory.mktemp("page") / "graph.html")


@pytest.fixture
def browser(page):
    with Browser() as browser:
        browser.open(page)
        yield browser


def test_one_file_without_network(page):
    text = page.read_text(encoding="utf-8")
    assert "default-src 'none'" in text and not re.search(r"""(src|href)\s*=|url\(|@import|fetch\(""", text)
    links = set(re.findall(r"https?://[^\s\"'<)]+", text))
    assert links == {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert "{{" not in text


def test_the_page_holds_every_op_and_module():
    picture = transformer()
    graph = data(picture.html)
    assert len(graph["nodes"]) == len(picture.ops.boxes) and len(graph["edges"]) == len(picture.ops.edges)
    assert graph["scopes"][1]["path"] == "encoder" and graph["level"] == "block"
    linear = next(node for node in graph["nodes"] if node["title"] == "linear")
    assert linear["rule"].startswith("dx = g W") and "test_pictures_page.py:" in linear["line"]
    histogram = linear["values"][0]["histogram"]
    assert sum(histogram["counts"]) == 5 * 48  # (1, 5, 48): q, k and v of 16 each
    assert "gradient_histogram" in linear["values"][0]


def test_a_name_cannot_end_the_script():
    name = "</script><script>alert(1)</script>"
    text = draw(np.sum(Tensor([1.0], requires_grad=True, name=name) * 2.0)).html
    assert "<script>alert" not in text
    assert data(text)["nodes"][0]["title"] == name


@pytest.mark.slow
def test_modules_open_and_close_and_boxes_tell(browser):
    assert browser.run("boxes.filter((b) => b.title === 'TransformerEncoderLayer').length") == 3
    assert browser.run("document.querySelectorAll('.box.module').length") > 3
    before = browser.run("boxes.length")
    browser.run("toggle(scopes.find((s) => s.path === 'encoder.layers.1'), true), 0")
    assert browser.run("boxes.length") > before
    browser.run("toggle(scopes.find((s) => s.path === 'encoder.layers.1'), false), 0")
    assert browser.run("boxes.length") == before
    browser.run("choose(nodes.find((n) => n.title === 'linear')), 0")
    about = browser.run("document.getElementById('about').innerText")
    for text in ("(1, 5, 48)", "dW = gᵀ x", "test_pictures_page.py", "Inputs", "Users"):
        assert text in about
    assert browser.run("document.querySelectorAll('#about .value rect').length") == 24
    assert browser.run("document.querySelectorAll('#about .gradient rect').length") == 24


@pytest.mark.slow
def test_no_two_boxes_overlap_and_each_text_fits(browser):
    browser.run("document.getElementById('open').click()")
    overlaps = browser.run(
        "boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) => a.x < b.x + b.w && b.x < a.x + a.w "
        "&& a.y < b.y + b.h && b.y < a.y + a.h).map((b) => a.title + ' on ' + b.title))"
    )
    assert overlaps == []
    browser.run("new Promise((f) => { view = {x: 0, y: 0, k: 0.5}; paint(); requestAnimationFrame(f); })")
    wide = browser.run(
        "[...document.querySelectorAll('.box')].filter((g) => [...g.querySelectorAll('text')].some((t) => "
        "t.getBBox().width > +g.querySelector('rect').getAttribute('width'))).map((g) => g.id)"
    )
    assert wide == [] and browser.run("document.querySelectorAll('.box').length") > 5


@pytest.mark.slow
def test_the_keyboard_reaches_everything(browser):
    focused = "document.activeElement.id"
    browser.press("/")
    assert browser.run(focused) == "search"
    for letter in "layer_norm":
        browser.press(letter)
    assert "found" in browser.run("document.getElementById('count').textContent")
    browser.press("ArrowDown")
    browser.press("Enter")
    assert not browser.run("document.getElementById('about').hidden")
    first = browser.run(focused)
    assert browser.run(f"items.has({first!r})")
    browser.press("ArrowUp")  # to its input
    assert browser.run("items.has(document.activeElement.id)") and browser.run(focused) != first
    browser.press("Escape")
    assert browser.run("document.getElementById('about').hidden")
    reached = set()
    for _ in range(40):
        browser.press("Tab")
        reached.add(browser.run(f"{PAINTED}.then(() => document.activeElement.id)"))
    assert {"level", "search", "fit", "theme"} & reached and any(name[:1] in "ns" for name in reached if name)
    browser.run("choose(scopes.find((s) => !s.open && s.seen)), 0")
    before = browser.run("boxes.length")
    browser.press("Enter")  # opens the module
    assert browser.run("boxes.length") > before


@pytest.mark.slow
def test_pan_zoom_and_colours(page):
    grounds = set()
    for dark in (False, True):
        with Browser(dark=dark) as browser:
            browser.open(page)
            grounds.add(browser.run("getComputedStyle(document.body).backgroundColor"))
    assert grounds == {"rgb(255, 255, 255)", "rgb(20, 24, 29)"}
    with Browser() as browser:
        browser.open(page)
        scale = browser.run("view.k")
        browser.call("Input.dispatchMouseEvent", type="mouseWheel", x=500, y=400, deltaX=0, deltaY=-200)
        assert browser.run("new Promise((f) => setTimeout(() => f(view.k), 50))") > scale
        left = browser.run("view.x")
        for kind, x in (("mousePressed", 300), ("mouseMoved", 380), ("mouseReleased", 380)):
            browser.call(
                "Input.dispatchMouseEvent", type=kind, x=x, y=500, button="left", buttons=1, clickCount=1
            )
        assert browser.run("view.x") == pytest.approx(left + 80, abs=1)
        browser.run("document.getElementById('theme').click()")
        assert browser.run("document.documentElement.dataset.theme") == "dark"


@pytest.mark.slow
def test_ten_thousand_boxes_open_and_are_searched_at_once(tmp_path):
    x = Tensor([1.0], requires_grad=True, name="x")
    y = x
    for _ in range(5_000):
        y = np.tanh(y) * x
    file = draw(y).save(tmp_path / "graph.html")
    with Browser() as browser:
        browser.open(file)
        assert browser.run("boxes.length") >= 10_000
        # from the start of the navigation until it has been painted
        assert browser.run(f"{PAINTED}.then(() => performance.now())") < 2000
        assert browser.run("performance.getEntriesByName('ready')[0].startTime") < 2000
        assert browser.run("document.querySelectorAll('.box').length") > 3
        for text, found in (
            ("tanh", "5,000 found"),
            ("multiply (1,)", "5,000 found"),
            ("nowhere", "0 found"),
        ):
            seconds, told = browser.run(
                "(async () => { const start = performance.now(), box = document.getElementById('search'); "
                f"box.value = {text!r}; box.dispatchEvent(new Event('input')); "
                f"await {PAINTED}; "
                "return [performance.now() - start, document.getElementById('count').textContent]; })()"
            )
            assert seconds < 200 and told == found
        browser.run(f"search(''), fit(), {PAINTED}")  # all of them in view
        assert browser.run("document.querySelectorAll('#far path').length") > 1
