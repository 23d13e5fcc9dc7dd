"""Lightning callbacks, one per file; each moves a number, writes a file or watches."""

from vae_lab.callbacks.aggressive_inference import AggressiveInference
from vae_lab.callbacks.capacity import Capacity
from vae_lab.callbacks.checkpoints import Checkpoints, still_falling
from vae_lab.callbacks.control import Control
from vae_lab.callbacks.evaluation import Evaluation
from vae_lab.callbacks.figures import Figures
from vae_lab.callbacks.free_bits import FreeBits
from vae_lab.callbacks.interruption import Interruption
from vae_lab.callbacks.kl_annealing import KLAnnealing
from vae_lab.callbacks.nonfinite_loss import Diverged, NonFiniteLoss
from vae_lab.callbacks.perceptual import Perceptual
from vae_lab.callbacks.progress import StepProgress
from vae_lab.callbacks.remedy import Remedy, Scheduled
from vae_lab.callbacks.training_curves import TrainingCurves

__all__ = [
    "AggressiveInference",
    "Capacity",
    "Checkpoints",
    "Control",
    "Diverged",
    "Evaluation",
    "Figures",
    "FreeBits",
    "Interruption",
    "KLAnnealing",
    "NonFiniteLoss",
    "Perceptual",
    "Remedy",
    "Scheduled",
    "StepProgress",
    "TrainingCurves",
    "still_falling",
]
