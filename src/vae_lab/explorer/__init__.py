"""The explorer: a page on which a person walks through the latent space of a trained model.

``scene.py`` gathers what the page shows, ``page.py`` makes one document of it and of the files in ``assets/``. The
document decodes by asking ``server.py``, or by itself with the network that ``network.py`` wrote into it.
"""

from vae_lab.explorer.export import export
from vae_lab.explorer.scene import Scene, scene_of

__all__ = ["Scene", "export", "scene_of"]
