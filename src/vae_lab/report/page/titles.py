"""What figures are called on the page, and their units."""

from vae_lab.report.figures import FIGURES

NATS = "nats per image"

TITLES = {shown.name: title for title, shown in FIGURES.items()} | {
    "mutual_information": "mutual information",
    "mutual_information_ceiling": "ceiling of the MI estimate",
    "mutual_information_upper": "upper bound of the MI",
    "rate_floor": "floor of the rate",
    "linear_rate": "KL of a linear VAE",
    "collapsed_units": "collapsed units",
    "shuffle_gap_se": "shuffle gap, standard error",
    "distortion_mean_image": "distortion of a mean image",
    "nll": "importance-weighted NLL",
    "psnr": "PSNR",
    "ssim": "SSIM",
    "coef/kl_weight": "KL weight",
    "coef/free_bits": "free bits ε",
    "coef/capacity": "capacity C",
    "coef/control": "controlled weight",
}

UNITS = {
    "bits_per_dim": "bits per dimension",
    "active_units": "dimensions",
    "collapsed_units": "dimensions",
    "psnr": "dB",
    "ssim": "",
    "coef/kl_weight": "",
    "coef/control": "",
    "coef/free_bits": "nats",
    "coef/capacity": "nats",
    "loss": NATS,
}


def title_of(name: str) -> str:
    """What a figure is called: ``KL (rate)`` for ``rate`` and ``val/rate``; an unknown one by its own name.

    Example:
        >>> title_of("val/rate"), title_of("coef/kl_weight"), title_of("val/my_score")
        ('KL (rate)', 'KL weight', 'my score')
    """
    own = name.rpartition("/")[2]
    return TITLES.get(name) or TITLES.get(own) or own.replace("_", " ")


def unit_of(name: str) -> str:
    """The unit of a figure; empty for one without, and for one that is not known."""
    own = name.rpartition("/")[2]
    return UNITS.get(name, UNITS.get(own, NATS if own in TITLES else ""))
