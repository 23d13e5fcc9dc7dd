"""What the page of a large sweep costs: its size, the seconds to make it, and how fast a browser shows and filters it.

    python benchmarks/page.py
    python benchmarks/page.py --runs 100 --points 50 --keep DIR

It writes synthetic run directories, 500 with 8 curves of 200 points unless told otherwise, makes the page of them as
the end of a sweep does, and opens it in headless Chromium (Debian: chromium, chromium-driver), where that is installed.
"""

import argparse
import itertools
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from vae_lab.report.page.write import PAGE, write_page
from vae_lab.runs.curves import STEP, as_lines
from vae_lab.runs.names import CURVES
from vae_lab.runs.result import Objective, Result
from vae_lab.runs.sweep import Sweep, SweepRecord

BETAS, EPSILONS, LATENT_DIMS, SEEDS = (0.25, 0.5, 1, 2, 4), (0, 0.1, 0.25, 0.5), (2, 4, 8, 16, 32), range(5)
NAMES = ("rate", "distortion", "elbo", "active_units", "mutual_information", "shuffle_gap", "prior_gap", "loss")
CLICKS = 11
PATIENCE = 60.0  # seconds for the page to be drawn
CLICK = """
const done = arguments[0];
const began = performance.now();
document.querySelector(".chip").click();
requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
"""  # milliseconds from the click on a filter until its frame has been handed to the screen
TOGGLE = "document.querySelector('#filters input').click()"  # seeds as bands, or a line per run


def settings(count: int) -> Iterator[dict[str, Any]]:
    """The overrides of as many runs: the product of all values, over and over."""
    product = itertools.product(BETAS, EPSILONS, LATENT_DIMS, SEEDS)
    for index, (beta, epsilon, latent_dim, seed) in enumerate(itertools.islice(itertools.cycle(product), count)):
        seed += len(SEEDS) * (index // 500)
        yield {"model.beta": beta, "free_bits.epsilon": epsilon, "model.latent_dim": latent_dim, "seed": seed}


def write_run(directory: Path, overrides: dict[str, Any], points: int, curves: int) -> None:
    """A run directory whose curves look like those of a β-VAE on digits."""
    noise = np.random.default_rng([overrides["seed"], overrides["model.latent_dim"]])
    beta, latent_dim, steps = overrides["model.beta"], overrides["model.latent_dim"], 10 * np.arange(1, points + 1)
    end = max(4.5 - 2.0 * np.log2(1 + beta), 0.0) * (1 + 0.05 * latent_dim)
    rate = end * (1 - np.exp(-steps / 300)) + 0.03 * np.abs(noise.standard_normal(points))
    values = dict.fromkeys(NAMES, rate) | {"distortion": 27 - 1.7 * rate, "elbo": -27 + 0.7 * rate}
    shown = {f"val/{name}": values[name] + 1e-3 * noise.standard_normal(points) for name in NAMES[:curves]}
    rows = [{STEP: step - 1, **{name: shown[name][i] for name in shown}} for i, step in enumerate(steps)]
    directory.mkdir()
    header = {name: name for name in rows[0]}
    (directory / CURVES).write_bytes(as_lines([header, *rows], list(header)))
    write_result(directory, overrides, float(rate[-1]), latent_dim, 10 * points)
    (directory / ".hydra").mkdir()
    lines = [f"- {key}={value}" for key, value in overrides.items()]
    (directory / ".hydra" / "overrides.yaml").write_text("\n".join(lines) + "\n")


def write_result(directory: Path, overrides: dict[str, Any], rate: float, latent_dim: int, steps: int) -> None:
    """Its record."""
    used = round(latent_dim * min(rate / 3, 1))
    shares = [rate / max(used, 1) if i < used else 0.0 for i in range(latent_dim)]
    metrics = {"elbo": -27 + 0.7 * rate, "rate": rate, "distortion": 27 - 1.7 * rate, "shuffle_gap": 3 * rate}
    metrics |= {"mutual_information": 0.9 * rate, "mutual_information_ceiling": 5.7, "prior_gap": 0.1 * rate}
    by_dimension = {"rate_dim": shares, "shuffle_gap_dim": shares, "shuffle_gap_dim_se": [0.01] * latent_dim}
    Result(
        status="finished",
        seed=overrides["seed"],
        overrides=overrides,
        metrics={f"test/{name}": value for name, value in {**metrics, "active_units": used, **by_dimension}.items()},
        verdict="none" if used == latent_dim else "partial" if used else "full",
        unused=latent_dim - used,
        latent_dim=latent_dim,
        objective=Objective(
            model="BetaVAE",
            likelihood="Bernoulli",
            pixels=64,
            effective_beta=overrides["model.beta"],
            spectrum=[3.3, 3.0],
        ),
        checkpoint="best.ckpt",
        checkpoint_step=steps,
        steps=steps,
        seconds=4.2,
        started="2026-01-01T00:00:00+00:00",
    ).write(directory)


def write_sweep(sweep: Path, runs: int, points: int, curves: int) -> None:
    """A sweep directory of synthetic runs."""
    names = []
    for overrides in settings(runs):
        names.append(",".join(f"{key}={value}" for key, value in overrides.items()))
        write_run(sweep / names[-1], overrides, points, curves)
    swept = ["model.beta", "free_bits.epsilon", "model.latent_dim", "seed"]
    SweepRecord(swept=swept, arguments=["-m"], started="2026-01-01T00:00:00+00:00", jobs=names).write(sweep)


def chromium(width: int) -> Any:
    """A headless browser; None where there is none."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        return None
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = browser
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--window-size={width},900"):
        options.add_argument(flag)
    return Chrome(options=options, service=Service(driver))


def moment(browser: Any, name: str) -> float:
    """When something happened on the page, in milliseconds; waits for it, as a browser may note a paint late."""
    from selenium.webdriver.support.wait import WebDriverWait

    read = f"return performance.getEntriesByName('{name}').map(entry => entry.startTime)"
    return float(WebDriverWait(browser, PATIENCE).until(lambda browser: browser.execute_script(read))[0])


def shown(browser: Any, page: Path) -> list[str]:
    """Milliseconds in the browser, a line each."""
    browser.get(page.resolve().as_uri())
    paint, ready = (moment(browser, name) for name in ("first-contentful-paint", "ready"))
    browser.execute_script("document.getElementById('curves').scrollIntoView()")
    lines = [f"first contentful paint after {paint:.0f} ms", f"curves drawn after {ready:.0f} ms"]
    for words in ("seeds as bands", "a line per run"):
        time.sleep(1)  # what the step before has left to do is done
        clicks = [browser.execute_async_script(CLICK) for _ in range(CLICKS)]
        lines.append(f"filter, {words}: median {median(clicks):.0f} ms, slowest {max(clicks):.0f} ms of {CLICKS}")
        browser.execute_script(TOGGLE)
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--points", type=int, default=200, help="of each curve")
    parser.add_argument("--curves", type=int, default=8, choices=range(1, 9))
    parser.add_argument("--width", type=int, default=1280, help="of the browser's window")
    parser.add_argument("--keep", type=Path, help="a new folder for the runs and the page, which stays")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        sweep = options.keep or Path(temporary) / "sweep"
        sweep.mkdir(parents=True)
        write_sweep(sweep, options.runs, options.points, options.curves)
        began, cpu = time.perf_counter(), time.process_time()
        print(write_page(Sweep.read(sweep), sweep))
        print(f"made in {time.perf_counter() - began:.1f} s ({time.process_time() - cpu:.1f} s of CPU)")
        print(f"{(sweep / PAGE).stat().st_size / 1e6:.2f} MB for {options.runs} runs")
        browser = chromium(options.width)
        if browser is None:
            print("not opened: no Chromium (apt-get install chromium chromium-driver)")
            return
        try:
            print("\n".join(shown(browser, sweep / PAGE)))
        finally:
            browser.quit()


if __name__ == "__main__":
    main()
