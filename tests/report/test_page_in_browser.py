"""The page of a sweep in a real browser: it opens from a file, filters, sorts, answers the pointer, runs no name."""

import time
from dataclasses import replace

import numpy as np
import pytest

from vae_lab.report.page.write import PAGE, write_page
from vae_lab.runs.curves import CurveFile
from vae_lab.runs.result import Objective, Result, Theory
from vae_lab.runs.sweep import Sweep

EVIL = """<script>document.title="run"</script><img src=x onerror='document.title="run"'>"&"""
WIDTHS, THEMES = (1280, 390), ("light", "dark")


def result(beta, eps, seed, *, rate, status="finished"):
    finished = status == "finished"
    metrics = {"test/elbo": -20 - rate, "test/rate": rate, "test/distortion": 20.0 - rate, "test/shuffle_gap": rate}
    metrics |= {"test/mutual_information": rate, "test/rate_dim": [rate, 0.0, 0.0]}
    return Result(
        status=status, reason=None if finished else "out of luck", seed=seed, latent_dim=3, unused=2, steps=10,
        overrides={"model.beta": beta, "free_bits.epsilon": eps, "seed": seed}, seconds=1.0,
        metrics=metrics if finished else {}, verdict=("full" if rate < 0.1 else "partial") if finished else None,
        objective=Objective(model="BetaVAE", likelihood="Bernoulli", pixels=64, effective_beta=beta, spectrum=[3.0]),
    )  # fmt: skip


def write_run(directory, outcome, values):
    """A run whose KL goes through these values, at steps 9, 19, ..."""
    directory.mkdir(parents=True)
    outcome.write(directory)
    file = CurveFile(directory)
    for i, value in enumerate(values):
        file.append(10 * i + 9, {"val/rate": value, "val/elbo": -20 - value, "train/loss": 20 + value})
    return directory


@pytest.fixture
def sweep(tmp_path):
    """Two values of β, two of ε, two seeds; and a run that failed."""
    for i, (beta, eps, seed) in enumerate([(b, e, s) for b in (1, 4) for e in (0, 0.25) for s in (0, 1)]):
        rate = 3.0 - 0.6 * beta + eps + 0.1 * seed
        write_run(tmp_path / f"run{i}", result(beta, eps, seed, rate=rate), [0.1, rate / 2, rate])
    write_run(tmp_path / "run8", result(16, 0, 0, rate=0.0, status="failed"), [])
    return tmp_path


@pytest.fixture
def opened(chromium):
    """Opens the page of a sweep and waits until its curves are drawn; at the end its console must be empty."""
    chromium.get_log("browser")

    def open_page(directory, width=1280, theme="light"):
        write_page(Sweep.read(directory), directory)
        screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        chromium.get((directory / PAGE).as_uri())
        wait(lambda: chromium.execute_script("return document.documentElement.dataset.ready"))
        return chromium

    yield open_page
    assert chromium.get_log("browser") == []
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def wait(true, seconds=20.0):
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def show(browser, section):
    """Scroll to a section, which is drawn then."""
    browser.execute_script(f"document.getElementById('{section}').scrollIntoView()")
    settle(browser)


def settle(browser):
    """Wait for two frames."""
    browser.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done));")


def texts(browser, selector):
    """The texts of the elements that are displayed."""
    shown = "[...document.querySelectorAll(arguments[0])].filter((e) => e.checkVisibility())"
    return browser.execute_script(f"return {shown}.map((e) => e.textContent)", selector)


def press(browser, text, selector="button"):
    """Click what has this text."""
    script = "[...document.querySelectorAll(arguments[1])].find((e) => e.textContent === arguments[0]).click()"
    browser.execute_script(script, text, selector)
    settle(browser)


def coloured(browser, selector):
    """How many pixels of a canvas are drawn on."""
    script = """
    const canvas = document.querySelector(arguments[0]);
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    return pixels.filter((value, i) => i % 4 === 3 && value > 0).length;
    """
    return browser.execute_script(script, selector)


def move(browser, selector, left, top):
    """Move the pointer to a share of the width and height of an element."""
    script = """
    const box = document.querySelector(arguments[0]).getBoundingClientRect();
    return [box.left + arguments[1] * box.width, box.top + arguments[2] * box.height];
    """
    x, y = browser.execute_script(script, selector, left, top)
    browser.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})
    settle(browser)


def swept(browser, left=0.995):
    """What the tooltip says from the top of the curves to their bottom, each once."""
    said = {}
    for top in np.linspace(0.0, 1.0, 60):
        move(browser, "#curves .u-over", left, top)
        said[tuple(texts(browser, "#tooltip > *"))] = None
    return list(said)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_its_window_in_both_themes(opened, sweep, width, theme):
    browser = opened(sweep, width, theme)
    for section in ("curves", "plane", "heatmap", "dimensions", "runs"):
        show(browser, section)
    assert browser.execute_script("return document.documentElement.scrollWidth") == width
    assert browser.execute_script("return document.documentElement.dataset.theme") == theme
    paper = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 27)"}[theme]
    for canvas in ("#curves canvas", "#plane canvas", "#dimensions canvas"):
        assert coloured(browser, canvas) > 500, canvas
    assert len(texts(browser, "#runs tr.run")) == 9


def test_the_button_turns_the_theme(opened, sweep):
    browser = opened(sweep)
    press(browser, "Dark")
    assert browser.execute_script("return document.documentElement.dataset.theme") == "dark"
    assert texts(browser, "#theme") == ["Light"]


def test_a_chip_filters_everything(opened, sweep):
    browser = opened(sweep)
    assert texts(browser, "#filters .count") == ["All 9 runs"]
    press(browser, "4", ".chip")
    assert texts(browser, "#filters .count") == ["5 of 9 runs"]
    show(browser, "runs")
    assert [row[0] for row in texts(browser, "#runs tr.run td:nth-child(2)")] == ["1", "1", "1", "1", "1"]
    show(browser, "plane")
    assert texts(browser, "#plane .hint")[0].startswith("4 finished runs.")
    show(browser, "heatmap")
    assert texts(browser, "#heatmap tbody td") == ["2.45", "", "", "2.70", "", ""]
    press(browser, "Show all")
    assert texts(browser, "#filters .count") == ["All 9 runs"]


def test_shift_and_a_double_click_show_one_value_only(opened, sweep):
    browser = opened(sweep)
    click = "[...document.querySelectorAll('.chip')].find((e) => e.textContent === arguments[0])"
    browser.execute_script(f"{click}.dispatchEvent(new MouseEvent('click', {{shiftKey: true}}))", "16")
    assert texts(browser, "#filters .count") == ["1 of 9 runs"]
    press(browser, "Show all")
    browser.execute_script(f"{click}.dispatchEvent(new MouseEvent('dblclick'))", "4")
    assert texts(browser, "#filters .count") == ["4 of 9 runs"]


def test_a_cell_is_the_median_of_its_runs(opened, sweep):
    browser = opened(sweep)
    show(browser, "heatmap")
    assert texts(browser, "#heatmap tbody td") == ["2.45", "0.65", "", "2.70", "0.90", ""]
    assert "a cell is the median over 2 runs" in texts(browser, "#heatmap .hint")[0]


def test_a_heading_sorts_and_sorts_the_other_way(opened, sweep):
    browser = opened(sweep)
    show(browser, "runs")
    cells = "#runs tr.run td:nth-child(6)"
    press(browser, "KL (rate)", "#runs th button")
    rising = [float(text) for text in texts(browser, cells)[:-1]]
    assert rising == sorted(rising)
    press(browser, "KL (rate)", "#runs th button")
    assert [float(text) for text in texts(browser, cells)[:-1]] == rising[::-1]
    assert texts(browser, cells)[-1] == "-"
    assert texts(browser, "#runs th[aria-sort=descending]") == ["KL (rate)"]


def test_the_pointer_names_the_setting_and_its_figures(opened, sweep):
    browser = opened(sweep)
    show(browser, "curves")
    nothing, highest, *others = swept(browser)
    assert nothing == ()
    assert highest == (
        "beta=1, epsilon=0.25",
        "KL (rate) 2.7 [2.65, 2.75] at step 29",
        "median and range of 2 seeds",
    )
    assert [heading for heading, *_ in filter(None, others)] == [
        "beta=1, epsilon=0",
        "beta=4, epsilon=0.25",
        "beta=4, epsilon=0",
    ]
    press(browser, " Seeds as median and range", "#filters label")
    assert (
        "beta=1, epsilon=0.25, seed=1",
        "KL (rate) 2.75 at step 29",
        "at the end: ELBO -22.75, KL (rate) 2.75, distortion 17.25, MI 2.75",
        "collapse: 2 of 3 unused",
    ) in swept(browser)
    move(browser, "h1", 0.5, 0.5)
    assert texts(browser, "#tooltip") == []


def test_arrow_keys_go_through_the_runs(opened, sweep):
    from selenium.webdriver.common.keys import Keys

    browser = opened(sweep)
    chart = browser.find_element("css selector", "#plane .chart")
    show(browser, "plane")
    chart.send_keys(Keys.ARROW_DOWN)
    assert texts(browser, "#tooltip strong") == ["beta=1, epsilon=0, seed=0"]
    chart.send_keys(Keys.ARROW_DOWN)
    assert texts(browser, "#tooltip strong") == ["beta=1, epsilon=0, seed=1"]
    chart.send_keys(Keys.ENTER)
    wait(lambda: texts(browser, ".panel h3") == ["beta=1, epsilon=0, seed=1"])


def test_a_row_opens_the_panel_of_its_run(opened, sweep):
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    (sweep / "run0" / "figures").mkdir()
    Figure(figsize=(1, 1)).savefig(sweep / "run0" / "figures" / "grid.png")
    (sweep / "run0" / ".hydra").mkdir()
    (sweep / "run0" / ".hydra" / "overrides.yaml").write_text("- model.beta=1\n")
    browser = opened(sweep)
    show(browser, "runs")
    browser.execute_script("document.querySelector('tr.run .opener').click()")
    settle(browser)
    assert texts(browser, ".panel code")[0] == "python -m vae_lab model.beta=1"
    assert "effective β" in texts(browser, ".panel dt")
    wait(lambda: browser.execute_script("return document.querySelector('.panel img').naturalWidth") == 100)
    browser.execute_script("document.querySelector('tr.run .opener').click()")
    assert texts(browser, ".panel") == []


def test_runs_that_did_not_finish_are_told(opened, sweep):
    browser = opened(sweep)
    assert "run8: out of luck" in texts(browser, "#words li")
    show(browser, "runs")
    assert texts(browser, "#runs tr.run:last-child td.word") == ["failed", "out of luck"]


def test_a_logarithmic_axis_shows_small_rates(opened, sweep):
    browser = opened(sweep)
    browser.execute_script("document.querySelector('#curves input').click()")
    settle(browser)
    move(browser, "#curves .u-over", 0.02, 0.98)
    browser.execute_script("document.querySelector('#curves select').value = '1'")
    browser.execute_script("document.querySelector('#curves select').dispatchEvent(new Event('change'))")
    settle(browser)
    assert "No value is above 0, so the axis stays linear." in texts(browser, "#curves .hint")[0]


def test_colours_follow_the_chosen_key(opened, sweep):
    browser = opened(sweep)
    marks = "return [...document.querySelectorAll('.mark')].map((mark) => mark.style.backgroundColor)"
    show(browser, "runs")
    by_beta = browser.execute_script(marks)
    assert len({*by_beta[:4]}) == 1 and by_beta[0] != by_beta[4]
    browser.execute_script(
        "const s = document.querySelector('#filters select'); s.value = '1'; s.dispatchEvent(new Event('change'))"
    )
    settle(browser)
    by_epsilon = browser.execute_script(marks)
    assert by_epsilon[0] == by_epsilon[4] and by_epsilon[0] != by_epsilon[2]


def test_names_and_values_are_shown_and_not_run(opened, tmp_path):
    one = result(1, 0, 0, rate=2.0)
    write_run(tmp_path / "<script>alert(1)<", replace(one, overrides={"data.path": EVIL}), [1.0, 2.0])
    write_run(tmp_path / "b", replace(one, overrides={"data.path": "b"}, reason=EVIL, status="failed"), [1.0, 2.0])
    browser = opened(tmp_path)
    for section in ("plane", "heatmap", "dimensions", "runs"):
        show(browser, section)
    for row in range(2):
        browser.execute_script(f"document.querySelectorAll('tr.run .opener')[{row}].click()")
    settle(browser)
    assert browser.title == tmp_path.name
    assert browser.execute_script("return document.querySelectorAll('script').length") == 4
    assert browser.execute_script("return document.querySelectorAll('img').length") == 0
    assert "<script>alert(1)<" in texts(browser, ".panel dd a")
    assert f"failed: {EVIL}" in texts(browser, ".panel dd")
    assert EVIL in texts(browser, ".chip span")


def test_a_run_alone_has_no_filters(opened, tmp_path):
    write_run(tmp_path / "only", result(1, 0, 0, rate=2.0), [1.0])
    browser = opened(tmp_path)
    assert texts(browser, "#filters .count") == ["1 run"]
    assert texts(browser, ".chip") == texts(browser, "#heatmap h2") == []
    show(browser, "plane")
    assert texts(browser, "#plane .hint")[0].startswith("1 finished run.")
    assert coloured(browser, "#curves canvas") > 500
    show(browser, "curves")
    assert ("only", "KL (rate) 1 at step 9") in [said[:2] for said in swept(browser, left=0.5)]


def test_without_a_finished_run_each_panel_says_so(opened, tmp_path):
    write_run(tmp_path / "a", result(1, 0, 0, rate=0.0, status="failed"), [])
    write_run(tmp_path / "b", result(2, 0, 0, rate=0.0, status="running"), [])
    browser = opened(tmp_path)
    show(browser, "plane")
    assert texts(browser, ".nothing") == ["No run has logged a curve yet.", "No run that is shown has finished."]
    assert texts(browser, "#heatmap h2") == texts(browser, "#dimensions h2") == []


def test_the_theory_is_a_line_of_the_plane(opened, tmp_path):
    from vae_lab.linear_theory.linear_vae import LinearVAE

    best = LinearVAE(np.array([4.0, 2.0, 1.0]), 0.3, 1.0, 3).fill(1.0)
    theory = Theory(rate_dim=best.rates.tolist(), distortion=best.distortion, collapsed=0, squared_error=0.0,
                    variance=0.3, eigenvalues=[4.0, 2.0, 1.0], exact=True)  # fmt: skip
    write_run(tmp_path / "a", replace(result(1, 0, 0, rate=2.0), theory=theory), [1.0])
    browser = opened(tmp_path)
    show(browser, "plane")
    assert "The dashed curve is the optimum of a linear VAE" in texts(browser, "#plane .hint")[0]
