"""Errors carry their fields, and arguments are checked against what a class takes."""

import pickle

import pytest

from vae_lab.checks import ArgumentError, ConfigError, keywords


@pytest.mark.parametrize("error", [ArgumentError("beta", -1, "must be >= 0"), ConfigError.setting("beta", -1, "x")])
def test_errors_survive_the_way_between_processes(error):
    back = pickle.loads(pickle.dumps(error))
    assert (str(back), back.argument, back.value, back.allowed) == (str(error), "beta", -1, error.allowed)


@pytest.mark.parametrize(
    ("key", "argument", "message"),
    [("model", "model.beta", "model.beta=-1: must be >= 0"), ("", "beta", "beta=-1: must be >= 0")],
)
def test_an_argument_error_is_named_by_its_path(key, argument, message):
    found = ConfigError.at(key, ArgumentError("beta", -1, "must be >= 0"))
    assert (str(found), found.argument, found.value, found.allowed) == (message, argument, -1, "must be >= 0")


def test_a_part_has_no_value():
    found = ConfigError.part("data.path", "must be given")
    assert (str(found), found.argument, found.value, found.allowed) == (
        "data.path: must be given",
        "data.path",
        None,
        "must be given",
    )


class Base:
    def __init__(self, width, *, depth=1):
        pass


class Derived(Base):
    def __init__(self, bias=True, **options):
        super().__init__(**options)


class Open:
    def __init__(self, bias=True, **options):
        pass


@pytest.mark.parametrize("given", [{}, {"width": 1}, {"width": 1, "depth": 2, "bias": False}])
def test_what_a_base_class_takes_is_taken(given):
    keywords(Derived, given)


@pytest.mark.parametrize(("target", "name"), [(Base, "bias"), (Derived, "options"), (Derived, "self")])
def test_what_no_init_takes_is_refused(target, name):
    with pytest.raises(ArgumentError) as caught:
        keywords(target, {"width": 1, name: 2})
    assert (caught.value.argument, caught.value.value) == (name, 2)


def test_a_class_that_takes_anything_refuses_nothing():
    keywords(Open, {"anything": 1})
