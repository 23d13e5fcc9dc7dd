"""The linear theory of collapse: the spectrum of the data, water-filling, and the optimum of the linear VAE.

``spectrum``, ``water_filling`` and ``linear_vae`` are maths on arrays and import no torch; ``closed_forms`` knows
penalties and models, ``prediction`` a model on its data.
"""
