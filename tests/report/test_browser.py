"""Reports in a real browser, offline: no error, no request, nothing too wide; curves can be read out and switched."""

import json
import shutil

import browser
import pytest

from dlrun.report import write_report
from dlrun.run_dir import RunDir

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.PATH is None, reason="there is no Chromium here"),
]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser.browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def opened(chromium):
    """Opens a file with the ears clean."""

    def open_(path, **options):
        chromium.errors.clear()
        chromium.requests.clear()
        chromium.open(path, **options)
        return chromium

    return open_


@pytest.fixture
def report(run, evaluated, history):
    """A report with an evaluation and curves of thirty epochs."""
    evaluated(run)
    history(run, loss=[3 / n for n in range(1, 31)], val_loss=[3 / n + 0.1 for n in range(1, 31)])
    return write_report([str(run.path)], run.path)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1280])
def test_a_report_asks_for_nothing_tells_no_error_and_fits_the_screen(opened, report, width, dark, tmp_path):
    page = opened(report, width=width, dark=dark)
    assert page.errors == []
    assert page.requests == [report.as_uri()]
    assert page.value("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    for element in page.value(
        "[...document.querySelectorAll('details')].map(one => (one.open = true) && one.textContent)"
    ):
        assert element.strip()
    assert page.value("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.picture(tmp_path / f"{width}-{dark}.png")
    assert (tmp_path / f"{width}-{dark}.png").stat().st_size > 20_000


def test_several_runs_fit_a_phone(opened, digits_run, outputs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        folder = RunDir(outputs / "digits" / f"20260101-00000{number}-abcdef")
        shutil.copytree(digits_run.path, folder.path, ignore=shutil.ignore_patterns("*.keras", "checkpoint"))
        folder.config_file.write_text(folder.config_file.read_text().replace("hidden: [16]", f"hidden: [{number + 4}]"))
    page = opened(write_report(["digits"], outputs, every=True), width=360)
    assert page.errors == []
    assert page.value("document.documentElement.scrollWidth") == 360


def test_links_lead_to_what_is_on_the_page(opened, report):
    page = opened(report)
    lost = "[...document.querySelectorAll('a')].filter(a => !document.querySelector(a.getAttribute('href'))).length"
    assert page.value("document.querySelectorAll('nav a').length") >= 6
    assert page.value(lost) == 0


def test_dark_and_light_have_other_colours_with_enough_contrast(opened, report):
    colours = {}
    for dark in (False, True):
        page = opened(report, dark=dark)
        backs = page.value("getComputedStyle(document.body).backgroundColor")
        names = (".under", "caption", "a[href='#metrics']", ".series.c0", ".series.c7", "body", "thead th", ".level")
        for name in names:
            kind = "stroke" if name == ".level" else "color"
            front = page.value(f"getComputedStyle(document.querySelector({name!r})).{kind}")
            least = 3 if name.startswith((".series", ".level")) else 4.5
            assert contrast(front, backs) >= least, (name, front, backs)
        colours[dark] = backs
    assert colours[False] != colours[True]


def contrast(first, second):
    """The ratio of WCAG 2.1, 1.4.3, of two colours `rgb(r, g, b)`."""
    levels = []
    for colour in (first, second):
        parts = [int(part) / 255 for part in colour.removeprefix("rgb(").rstrip(")").split(",")]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        levels.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(levels) + 0.05) / (min(levels) + 0.05)


def press(page, key):
    """Press a key on the first curve."""
    page.value(
        "document.querySelector('figure.chart svg').dispatchEvent("
        f"new KeyboardEvent('keydown', {{key: {key!r}, bubbles: true, cancelable: true}}))"
    )


def test_arrow_keys_read_out_values_and_a_line_switched_off_is_silent(opened, report):
    page = opened(report)
    readout = "document.querySelector('.readout').textContent"
    press(page, "ArrowRight")
    assert page.value(readout) == "epoch 1: training 3, validation 3.1"
    press(page, "ArrowRight")
    assert page.value(readout) == "epoch 2: training 1.5, validation 1.6"
    page.value("document.querySelector('.legend button').click()")
    press(page, "End")
    assert page.value(readout) == "epoch 30: validation 0.2"
    assert page.value("document.querySelector('.legend button').getAttribute('aria-pressed')") == "false"
    assert page.value("getComputedStyle(document.querySelector('g.series')).display") == "none"
    press(page, "Escape")
    assert page.value(readout) == ""


def test_the_pointer_reads_out_the_nearest_epoch(opened, report):
    page = opened(report)
    page.value("document.querySelector('figure.chart').scrollIntoView({behavior: 'instant'})")
    box = json.loads(page.value("JSON.stringify(document.querySelector('figure.chart svg').getBoundingClientRect())"))
    x, y = box["x"] + box["width"] * 0.99, box["y"] + box["height"] / 2
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    assert page.value("document.querySelector('.readout').textContent").startswith("epoch 30:")


def test_log_scale_and_smoothing_swap_the_paths_and_back(opened, report):
    page = opened(report)
    path = "document.querySelector('g.series path').getAttribute('d')"
    first = page.value(path)
    seen = [first]
    for view in ("log", "smooth", "log", "smooth"):
        page.value(f"document.querySelector('button[data-view={view}]').click()")
        seen.append(page.value(path))
    assert len(set(seen)) == 4
    assert seen[-1] == first
    assert page.errors == []


def test_a_foreign_script_in_the_page_is_stopped_by_its_rules(opened, report, tmp_path):
    broken = tmp_path / "broken.html"
    foreign = "<script>document.title = 'taken'</script><img src='https://example.org/x.png'>"
    broken.write_text(report.read_text().replace("<footer>", foreign + "<footer>"))
    page = opened(broken)
    assert page.value("document.title") != "taken"
    assert sum("Content Security Policy" in error for error in page.errors) == 2
    assert page.value("document.images[0].naturalWidth") == 0
