"""The verdict: how much of the latent the decoder really uses. Pure figures in, words out.

The rate does not decide: δ-VAE holds it at δ with nothing encoded, and BN-VAE has every unit active by construction.
The shuffle gap does, with the standard error (se) of its paired difference; the first row that fits counts:

| shuffle gap, nats per image         | mutual information | verdict                                                |
| ----------------------------------- | ------------------ | ------------------------------------------------------ |
| below max(0.1, 2 se), or negative   | any                | full: the decoder has no use for z                     |
| below 3 se                          | below 0.1 nats     | full: a gap by chance, since z carries nothing about x |
| anything else                       | any                | partial, where a dimension is unused; else none        |

A dimension is unused when shuffling it alone costs less than max(0.01 nats, 2 se). Where the verdict is not full, at
least one dimension is in use, even if none is on its own. A mutual information below 0.1 nats alone proves nothing: at
a large β a tenth of a nat may buy many nats of distortion.
"""

from collections.abc import Sequence
from dataclasses import dataclass

FLOOR_SLACK = (0.05, 0.02)  # relative and in nats: how near to its floor a rate counts as held there
REACHED = 0.5  # the part of a floor or target from which a rate counts as having reached it: train and test differ
FULL_GAP, FULL_MI, UNUSED_GAP = 0.1, 0.1, 0.01  # nats per image
ERRORS = 2  # standard errors that a gap must exceed
CERTAIN_ERRORS = 3  # and where z carries nothing about x, so that a gap can be chance only


@dataclass(frozen=True)
class Verdict:
    """``kind`` is ``full``, ``partial`` or ``none`` collapse; ``unused`` of ``latent_dim`` are idle."""

    kind: str
    unused: int
    latent_dim: int

    def __str__(self) -> str:
        return describe(self.kind, self.unused, self.latent_dim)


def judge(gap: float, gap_se: float, gap_dim: Sequence[float], gap_dim_se: Sequence[float], mi: float) -> Verdict:
    """Judge from the shuffle gaps (nats per image, with paired standard errors) and the mutual information (nats).

    The rule is the table above. A gap that is not a number is taken for none.

    Example:
        >>> judge(gap=4.2, gap_se=0.1, gap_dim=[3.0, 0.001], gap_dim_se=[0.1, 0.001], mi=2.5)
        Verdict(kind='partial', unused=1, latent_dim=2)
    """
    latent_dim = len(gap_dim)
    unused = sum(not is_used(g, se) for g, se in zip(gap_dim, gap_dim_se, strict=True))
    errors = CERTAIN_ERRORS if mi < FULL_MI else ERRORS
    if not gap >= max(FULL_GAP, errors * gap_se):
        return Verdict("full", latent_dim, latent_dim)
    return Verdict("partial" if unused and latent_dim > 1 else "none", min(unused, latent_dim - 1), latent_dim)


def describe(kind: str, unused: int, latent_dim: int) -> str:
    """How much of z is unused: ``none``, ``2 of 8 unused`` or ``full``."""
    return f"{unused} of {latent_dim} unused" if kind == "partial" else kind


def is_used(gap: float, standard_error: float) -> bool:
    """Whether shuffling one dimension alone costs enough, in nats per image, to say that the decoder uses it."""
    return gap >= max(UNUSED_GAP, ERRORS * standard_error)


def held_at_floor(rate: float, floor: float) -> bool:
    """Whether a rate sits where the method holds it (nats per image), which says nothing about what z carries.

    Far below, the method has not held it: a target was not reached, or free bits lifted nothing.
    """
    return floor > 0 and REACHED * floor <= rate <= floor * (1 + FLOOR_SLACK[0]) + FLOOR_SLACK[1]
