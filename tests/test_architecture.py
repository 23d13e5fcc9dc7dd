"""The rules of the house: which room may import which, and which of them do without torch."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "vae_lab"
DOORS = ("cli", "diagnose", "evaluate", "list", "preview", "theory", "report.__main__", "__main__")
FLOORS = (  # from the ground up: imports point down, or stay on their floor
    ("checks", "noise"),
    ("diagnosis",),
    ("config",),
    ("elbo",),
    ("data", "networks", "metrics"),
    ("models",),
    ("linear_theory",),
    ("callbacks",),
    ("runs", "figures"),
    ("console",),
    ("training",),
    ("report", "sweep"),
    DOORS,
)
HEIGHT = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}
LIGHT = ("config", "runs", "diagnosis", "report", "sweep", "console", "checks", "list")  # import no torch


def module_name(file: Path) -> str:
    """``training.run`` for ``src/vae_lab/training/run.py``; the package itself is ``__init__``."""
    name = ".".join(file.relative_to(PACKAGE).with_suffix("").parts)
    return name.removesuffix(".__init__")


def room(module: str) -> str:
    return module if module in DOORS else module.partition(".")[0]


def imported(file: Path) -> set[str]:
    """The modules of vae_lab that a file imports, at its top or within a function, but for its type annotations."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    typing = {id(n) for block in ast.walk(tree) if is_type_checking(block) for n in ast.walk(block)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in typing:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            package = (PACKAGE.parent / Path(*node.module.split("."))).is_dir()
            found |= {f"{node.module}.{alias.name}" for alias in node.names} if package else {node.module}
    return {name.removeprefix("vae_lab.") for name in found if name.startswith("vae_lab.")}


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


FILES = sorted(file for file in PACKAGE.rglob("*.py") if module_name(file) != "__init__")


@pytest.mark.parametrize("file", FILES, ids=map(module_name, FILES))
def test_imports_point_down(file):
    own = room(module_name(file))
    rooms = {room(name) for name in imported(file)} & HEIGHT.keys()
    assert {other for other in rooms if HEIGHT[other] > HEIGHT[own]} == set()


@pytest.mark.parametrize("file", FILES, ids=map(module_name, FILES))
def test_every_file_lies_in_a_known_room(file):
    assert room(module_name(file)) in HEIGHT


@pytest.mark.parametrize("door", DOORS)
def test_a_door_imports_no_other_door(door):
    file = PACKAGE / f"{door.replace('.', '/')}.py"
    others = {name for name in imported(file) if room(name) in DOORS}
    assert others == ({"cli"} if door == "__main__" else set())


def test_light_rooms_import_no_torch():
    modules = [f"vae_lab.{module_name(file)}" for file in FILES if room(module_name(file)) in LIGHT]
    code = f"import importlib, sys; [importlib.import_module(m) for m in {modules}]; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_there_is_no_circle_of_rooms():
    graph: dict[str, set[str]] = {}
    for file in FILES:
        own = room(module_name(file))
        graph.setdefault(own, set()).update({room(name) for name in imported(file)} & HEIGHT.keys() - {own})
    list(TopologicalSorter(graph).static_order())  # raises CycleError
