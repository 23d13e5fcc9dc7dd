"""``python -m vae_lab``, and the script ``vae-lab``."""

from vae_lab import cli
from vae_lab.endings import at_once


def main() -> None:
    """The command as the whole of its process."""
    with at_once():
        cli.main()


if __name__ == "__main__":
    main()
