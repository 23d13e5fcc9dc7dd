"""From overrides to a plain config, and from a config node to an object. Nothing here imports torch."""
