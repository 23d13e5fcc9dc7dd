"""The folder to publish: a card made of the record, and nothing of this machine's places."""

import json
import re
import shutil
from dataclasses import replace

import pytest
import yaml

import vae_lab
from vae_lab.exporting import export
from vae_lab.exporting.card import card
from vae_lab.exporting.hub import published
from vae_lab.runs.result import Result
from vae_lab.runs.run import Run
from vae_lab.training.loading import checkpoint_of, read_checkpoint

pytest.importorskip("safetensors")


@pytest.fixture(scope="module")
def folder(trained, tmp_path_factory):
    pytest.importorskip("matplotlib")
    target = tmp_path_factory.mktemp("hub")
    export(trained, "hub_folder", target, license="mit")
    return target


def sections(text):
    return dict(re.findall(r"^## (.+?)\n\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))


def test_the_card_is_made_of_the_record(folder, trained):
    text, result = (folder / "README.md").read_text(), Result.read(trained)
    found = sections(text)
    assert "More Information Needed" not in text and "TODO" not in text
    assert {"Use it", "Data", "Figures", "Does the decoder use z?", "Pictures", "How it was trained"} <= found.keys()
    assert f"| ELBO | {result.figure('elbo'):.2f} |" in found["Figures"]
    assert "Collapse: " in found["Does the decoder use z?"] and "effective β" in found["Does the decoder use z?"]
    assert "`model.beta=0.5`" in found["How it was trained"] and "Digits" in found["Data"]
    for name in re.findall(r"!\[.*?\]\((.*?)\)", text):
        assert (folder / name).is_file()
    assert found["Pictures"].count("![") == 2


def test_its_header_is_what_the_hub_reads(folder, trained):
    header = yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])
    assert header["license"] == "mit" and header["library_name"] == "vae_lab"
    (result,) = header["model-index"][0]["results"]
    values = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert values["elbo"] == pytest.approx(Result.read(trained).figure("elbo"), rel=1e-4)


def test_it_loads_as_the_run_does(folder, trained):
    assert vae_lab.load(folder).sample(3).equal(vae_lab.load(trained).sample(3))
    assert json.loads((folder / "config.json").read_text())["config"]["model"]["beta"] == 0.5


def test_where_the_data_lie_stays_on_this_machine(trained, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    result = Result.read(run)
    replace(result, overrides={"data": "npz", "data.path": "/home/me/faces.npz"}).write(run)
    content = read_checkpoint(checkpoint_of(run))
    content["vae_lab"]["config"]["data"] = {"_target_": "vae_lab.data.Npz", "path": "/home/me/faces.npz"}
    recipe = published(content["vae_lab"])
    assert recipe["config"]["data"]["path"] == "faces.npz"
    assert content["vae_lab"]["config"]["data"]["path"] == "/home/me/faces.npz"

    from vae_lab.exporting.hub import write_hub

    target = tmp_path / "hub"
    target.mkdir()
    write_hub(run, content, target, "")
    for file in target.rglob("*"):
        assert not file.is_file() or b"/home/me" not in file.read_bytes(), file
    assert Result.read(target).process is None


def test_a_collapsed_run_says_so_and_why(trained):
    result = Result.read(trained)
    assert result.objective is not None
    objective = replace(result.objective, effective_beta=32.0, distortion_reduction="mean", pixels=64)
    figures = {**result.metrics, "test/rate": 0.0, "test/mutual_information": 0.0}
    collapsed = replace(result, verdict="full", unused=4, objective=objective, metrics=figures)
    recipe = read_checkpoint(checkpoint_of(trained))["vae_lab"]
    words = sections(card(Run(trained, collapsed), recipe, [], ""))["Does the decoder use z?"]
    assert "full, the decoder ignores z" in words and "Cause" in words


def test_a_bar_in_a_cell_does_not_end_it(folder):
    rows = [line for line in (folder / "README.md").read_text().splitlines() if line.startswith("|")]
    assert any("q(z\\|x)" in row for row in rows)
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} <= {3, 4}
