"""scvi-tools' models (https://scvi-tools.org): cells as rows of counts, scored over genes by ZINB, NB or Poisson."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from vae_lab.checks import ArgumentError
from vae_lab.examination.adapters import adapter, comes_from

MODULES = ("VAE", "LDVAE")  # whose loss is distortion + kl_weight · rate: those of SCVI and LinearSCVI
LIKELIHOODS = {"zinb": "ZINB", "nb": "NegativeBinomial", "poisson": "Poisson", "normal": "Normal"}
WEIGHT_CODE = 'model.train(plan_kwargs={{"max_kl_weight": {weight}}})'
UNKNOWN = "the weight of the KL at the end of its training is not recorded here: taken is 1; beta=... says another"
WARMED = "its training ended within the warm-up of the KL, at the weight {}, which is taken for β"
LOADER = "must be scvi.dataloaders.AnnDataLoader(model.adata_manager), or batches such as it gives"


class Cells:
    """Cells as rows (B, P) of all that the loader gives of each, beside its counts: batch, label, covariates.

    Example:
        >>> cells = Cells()
        >>> rows = cells.rows({"X": torch.ones(2, 3), "batch": torch.tensor([[0], [1]])})
        >>> rows.shape, cells.tensors(rows)["batch"].flatten()
        (torch.Size([2, 4]), tensor([0, 1]))
    """

    def __init__(self) -> None:
        self.columns: dict[str, tuple[int, torch.dtype]] = {}

    def rows(self, batch: Any) -> Tensor:
        """The rows of a batch of the loader.

        Raises:
            ArgumentError: when it is none.
        """
        if not isinstance(batch, Mapping) or "X" not in batch:
            raise ArgumentError("data", f"a batch of {type(batch).__name__}", LOADER)
        known = {name: part for name, part in batch.items() if part is not None}
        self.columns = {name: (part.shape[1], part.dtype) for name, part in known.items()}
        return torch.cat([part.float() for part in known.values()], 1)

    def tensors(self, rows: Tensor) -> dict[str, Tensor]:
        """What the loader gave, of these rows.

        Raises:
            ArgumentError: when they do not come from one.
        """
        if not self.columns:
            raise ArgumentError("data", f"rows of {rows.shape[1]} numbers", LOADER)
        parts = rows.split([width for width, _ in self.columns.values()], 1)
        named = zip(self.columns.items(), parts, strict=True)
        return {name: part.to(dtype) for (name, (_, dtype)), part in named}


@adapter
def scvi(model: Any) -> Mapping[str, Any] | None:
    """A trained ``SCVI`` or ``LinearSCVI``, or its module.

    Raises:
        ArgumentError: for one with another loss, or whose library size is a latent too.
    """
    if not comes_from(model, "scvi"):
        return None
    module: Any = model if isinstance(model, nn.Module) else model.module
    check(module)
    cells = Cells()

    def encode(rows: Tensor) -> Any:
        return module.inference(**module._get_inference_input(cells.tensors(rows)))["qz"]

    def distortion(z: Tensor, rows: Tensor) -> Tensor:
        tensors = cells.tensors(rows)
        code = {"z": module.z_encoder.z_transformation(z), "library": tensors["X"].sum(1, keepdim=True).log()}
        p = module.generative(**module._get_generative_input(tensors, code))["px"]
        loss: Tensor = -p.log_prob(tensors["X"]).sum(1)
        return loss

    beta, note = weight_of(model)
    return {
        "name": f"scvi {type(model).__name__}",
        "encode": encode,
        "distortion": distortion,
        "likelihood": LIKELIHOODS[module.gene_likelihood],
        "key": cells.rows,
        "beta": beta,
        "weight_code": WEIGHT_CODE,
        "notes": (note,) if note else (),
    }


def check(module: Any) -> None:
    """Refuse a module of which the adapter would not measure all of the loss.

    Raises:
        ArgumentError: naming it.
    """
    kind = type(module).__name__
    if kind not in MODULES:
        allowed = f"is none of {', '.join(MODULES)}: give encode= and distortion= yourself"
        raise ArgumentError("model", f"scvi's {kind}", allowed)
    if not module.use_observed_lib_size:
        allowed = "has a second latent, the library size: give encode= and distortion= yourself"
        raise ArgumentError("model", f"scvi's {kind}", allowed)


def weight_of(model: Any) -> tuple[float, str]:
    """The weight of the KL at the end of its training, and what there is to say of it."""
    history = getattr(model, "history", None) or {}
    if "kl_weight" not in history:
        return 1.0, UNKNOWN
    weight = float(f"{float(history['kl_weight'].iloc[-1, 0]):.4g}")
    return weight, WARMED.format(f"{weight:g}") if weight < 1 else ""
