"""Puts the page beside its runs."""

from pathlib import Path

from vae_lab.checks import one_line
from vae_lab.files import put_whole
from vae_lab.report.page.gather import gather
from vae_lab.report.page.render import render
from vae_lab.runs.sweep import Sweep

PAGE = "report.html"


def write_page(sweep: Sweep, folder: Path) -> str:
    """Write ``report.html`` into a folder; returns where it is, or why it is not there."""
    try:
        put_whole(folder / PAGE, render(*gather(sweep, folder)).encode())
    except OSError as error:
        return f"page not written: {one_line(error)}"
    return f"page: {folder / PAGE}"
