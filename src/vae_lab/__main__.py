"""``python -m vae_lab``."""

from vae_lab.cli import main

if __name__ == "__main__":
    main()
