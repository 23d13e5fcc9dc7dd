"""One composition for many jobs: configs that differ in values only are composed once, and their values set in copies.

Hydra takes a tenth of a second to compose a config, nearly all of it for the parts, which a sweep's jobs share.
"""

import pickle
from collections.abc import Callable, Sequence

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig

Compose = Callable[[list[str]], DictConfig]


class Compositions:
    """The configs that were composed so far, by the parts that they are made of.

    Args:
        is_group: whether an override's key is a config group.
    """

    def __init__(self, is_group: Callable[[str], bool]) -> None:
        self.is_group = is_group
        self.composed: dict[tuple[object, ...], bytes] = {}

    def config(self, overrides: Sequence[str], about: tuple[object, ...], compose: Compose) -> DictConfig:
        """What ``compose`` makes of the overrides.

        Args:
            overrides: all of them.
            about: whatever else decides what is composed.
            compose: makes a config of some overrides.
        """
        parsed = OverridesParser.create().parse_overrides(list(overrides))
        if not all(map(self.is_choice_or_value, parsed)):
            return compose(list(overrides))
        parts = [str(override.input_line) for override in parsed if self.is_group(override.key_or_group)]
        key = (*about, *parts)
        if key not in self.composed:
            self.composed[key] = pickle.dumps(compose(parts))
        config: DictConfig = pickle.loads(self.composed[key])
        set_values(config, parsed, [override for override in parsed if not self.is_group(override.key_or_group)])
        return config

    def is_choice_or_value(self, override: Override) -> bool:
        """Whether an override chooses a part by name, or changes a value: then parts come first, in Hydra too."""
        if override.is_sweep_override() or override.package is not None:
            return False
        if self.is_group(override.key_or_group):
            return override.type != OverrideType.FORCE_ADD and not isinstance(override.value(), dict)
        return override.type == OverrideType.CHANGE


def set_values(config: DictConfig, overrides: Sequence[Override], values: Sequence[Override]) -> None:
    """Set the values that some of the overrides change, and note all of them, as Hydra does.

    Raises:
        HydraException: for a value that fits nowhere.
    """
    ConfigLoaderImpl._apply_overrides_to_config(list(values), config)
    about = config.hydra
    about.overrides.hydra = [str(override.input_line) for override in overrides if override.is_hydra_override()]
    own = [override for override in overrides if not override.is_hydra_override()]
    about.overrides.task = [str(override.input_line) for override in own]
    style = about.job.config.override_dirname
    about.job.override_dirname = get_overrides_dirname(own, style.exclude_keys, style.item_sep, style.kv_sep)
