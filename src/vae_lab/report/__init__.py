"""Reports: run directories in, tables and words out. Nothing here knows a model, or imports torch."""

from vae_lab.report.progress import Position
from vae_lab.report.show import begin, finish, show_run, summary_line

__all__ = ["Position", "begin", "finish", "show_run", "summary_line"]
