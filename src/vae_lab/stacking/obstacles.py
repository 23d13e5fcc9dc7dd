"""Why a run cannot be trained in a stack: whatever of it is the Trainer's alone, or takes part in each step itself."""

from collections.abc import Iterator, Mapping
from inspect import getattr_static, isfunction
from typing import Any

from lightning.pytorch import Callback, LightningDataModule, LightningModule

from vae_lab.callbacks import Remedy
from vae_lab.data import ImageData
from vae_lab.models import VAE
from vae_lab.stacking.optimizer import is_elementwise
from vae_lab.training.assembly import Parts
from vae_lab.training.trainer import device_count

HONOURED = {  # settings of the trainer that a stack follows; another one that is set needs the Trainer
    *("_target_", "max_steps", "val_check_interval", "log_every_n_steps", "accelerator", "devices", "precision"),
    *("gradient_clip_val", "sync_batchnorm"),
}
TRAINER = "lightning.pytorch.Trainer"
PRECISIONS = (None, "32-true", "64-true")
OF_MODELS = {*dir(LightningModule), "training_noise", "evaluated"} - {"forward"}
OF_DATA = {*dir(LightningDataModule), "train_batch", "train_stream"}
OF_REMEDIES = {name for name in dir(Callback) if name.startswith("on_") or name in ("setup", "teardown")}


def obstacles(config: Mapping[str, Any], parts: Parts) -> Iterator[str]:
    """Each reason, in words that name the setting; none where the run can be trained in a stack."""
    yield from obstacles_of_trainer(config)
    if config.get("logger"):
        yield f"logger: {', '.join(config['logger'])} is fed by the Trainer"
    if parts.figures:
        yield "figures: are drawn while a run trains"
    for remedy in parts.remedies:
        if own_methods(type(remedy), Remedy, OF_REMEDIES):
            yield f"{type(remedy).__name__}: takes part in the steps themselves"
    for part, base, names in ((parts.model, VAE, OF_MODELS), (parts.data, ImageData, OF_DATA)):
        if own := own_methods(type(part), base, names):
            yield f"{type(part).__name__}: has a {own[0]} of its own"
    if not is_elementwise(parts.model.optimizer):
        yield "optimizer: does not treat each parameter on its own"


def obstacles_of_trainer(config: Mapping[str, Any]) -> Iterator[str]:
    """Those that lie in the settings of the trainer."""
    node = config["trainer"]
    if device_count(config) > 1:
        yield f"trainer.devices={node['devices']}: a stack is trained by one process"
    if node["_target_"] != TRAINER:
        yield f"trainer._target_={node['_target_']}: a stack does as {TRAINER} does"
    if node.get("precision") not in PRECISIONS:
        yield f"trainer.precision={node['precision']}: a stack has one precision throughout"
    for name in sorted(node.keys() - HONOURED):
        if node[name]:
            yield f"trainer.{name}={node[name]}: is the Trainer's alone"


def own_methods(kind: type, base: type, names: set[str]) -> list[str]:
    """The methods of these names that a class has in another form than its base.

    Example:
        >>> from vae_lab.callbacks import KLAnnealing
        >>> own_methods(KLAnnealing, Remedy, OF_REMEDIES)
        []
    """
    public = (name for name in sorted(names) if not name.startswith("_"))
    methods = [name for name in public if isfunction(getattr_static(base, name, None))]
    return [name for name in methods if getattr_static(kind, name) is not getattr_static(base, name)]
