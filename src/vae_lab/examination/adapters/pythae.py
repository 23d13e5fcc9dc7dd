"""pythae's models (https://pythae.readthedocs.io): those whose posterior is Gaussian and whose prior is N(0, I)."""

from collections.abc import Mapping
from typing import Any

from vae_lab.checks import ArgumentError
from vae_lab.examination.adapters import adapter, comes_from

# by pythae's name of the model: what its loss has beside distortion and β · rate, empty where nothing
MODELS = {
    "VAE": "",
    "BetaVAE": "",
    "IWAE": "its loss is the importance-weighted bound",
    "DisentangledBetaVAE": "its loss holds the KL at a capacity",
    "BetaTCVAE": "its loss weighs the parts of the KL each by itself",
    "FactorVAE": "its loss has a term for the total correlation",
    "INFOVAE_MMD": "its loss has an MMD",
    "MSSSIM_VAE": "its loss is a structural similarity",
    "VAEGAN": "its loss has an adversary",
}
LIKELIHOODS: dict[str, dict[str, Any]] = {
    "mse": {"likelihood": "gaussian", "variance": 1.0},  # ½ of the summed squared error
    "bce": {"likelihood": "bernoulli"},
}


@adapter
def pythae(model: Any) -> Mapping[str, Any] | None:
    """A model of pythae; what its config says of loss and β counts.

    Raises:
        ArgumentError: for one with another posterior or prior.
    """
    if not comes_from(model, "pythae"):
        return None
    config, kind = model.model_config, model.model_name
    if kind not in MODELS:
        allowed = f"is none of {', '.join(MODELS)}: give encode=, decode=, likelihood= and prior= yourself"
        raise ArgumentError("model", f"pythae's {kind}", allowed)
    loss = str(getattr(config, "reconstruction_loss", "mse"))
    added = MODELS[kind]
    return {
        "name": f"pythae {kind}",
        "encode": model.encoder,
        "decode": model.decoder,
        "beta": float(getattr(config, "beta", 1.0)),
        "weight_code": f"{type(config).__name__}(..., beta={{weight}})" if hasattr(config, "beta") else "",
        "plain_elbo": not added,
        "notes": (f"{added}: figures are those of the ELBO",) if added else (),
        **LIKELIHOODS[loss],
    }
