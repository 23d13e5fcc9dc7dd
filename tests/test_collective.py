"""Collectives: two processes with parts of a batch, against one with the whole. Figures and gradients."""

import json
import subprocess
import sys
from itertools import chain

import pytest
import torch
from torch import nn

from vae_lab.collective import batch_mean, from_first, gather_rows, lowest, rows
from vae_lab.networks.batch_norm import SharedBatchNorm, share_batch_norms

RANKS, SIZE = 2, 5  # rows that two ranks cannot share evenly

PART = """
import json, sys, torch, torch.distributed as dist
sys.path.insert(0, sys.argv[3])
from test_collective import SIZE, RANKS, measured
from vae_lab.collective import rows
rank = int(sys.argv[1])
dist.init_process_group("gloo", "file://" + sys.argv[2], world_size=RANKS, rank=rank)
found = measured(rows(SIZE, rank, RANKS), rank)
dist.barrier()
dist.destroy_process_group()
print(json.dumps(found))
"""


def whole(*shape):
    return torch.randn(SIZE, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def layer(kind):
    norm = kind(3, dtype=torch.float64)
    nn.init.normal_(norm.weight, generator=torch.Generator().manual_seed(1))
    model = nn.Sequential(norm)
    share_batch_norms(model)
    return model


def normalised(kind, x):
    """What a batch normalisation gives, its gradients of input and weight, and its running statistics."""
    model = layer(kind)
    x.requires_grad_()
    out = model(x)
    (batch_mean(out.pow(3).flatten(1).sum(1)).sin()).backward()
    norm = model[0]
    found = (out, x.grad, norm.weight.grad, norm.running_mean, norm.running_var)
    return [part.detach().tolist() for part in found]


def measured(part, rank):
    """What a process with this part of the rows finds."""
    mean_of = whole(3)[part].clone().requires_grad_()
    batch_mean(mean_of).exp().sum().backward()
    gathered = whole(2)[part].clone().requires_grad_()
    rows_ = gather_rows(gathered)
    (rows_ @ rows_.T).sin().sum().backward()
    figures = {"a": torch.tensor(1.5 + rank), "b": torch.tensor([rank + 1, 7])}
    return {
        "mean": batch_mean(mean_of).tolist(),
        "mean_gradient": mean_of.grad.tolist(),
        "rows": rows_.tolist(),
        "rows_gradient": gathered.grad.tolist(),
        "lowest": lowest(torch.tensor(3.0 - rank)).item(),
        "from_first": {name: value.tolist() for name, value in from_first(figures).items()},
        "flat": normalised(nn.BatchNorm1d, whole(3)[part].clone()),
        "pixels": normalised(nn.BatchNorm2d, whole(3, 2, 2)[part].clone()),
    }


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """What each of two processes finds."""
    meeting = tmp_path_factory.mktemp("ranks") / "meeting"
    folder = __file__.rpartition("/")[0]
    command = [sys.executable, "-c", PART]
    started = [
        subprocess.Popen([*command, str(rank), str(meeting), folder], stdout=subprocess.PIPE, text=True)
        for rank in range(RANKS)
    ]
    return [json.loads(process.communicate(timeout=300)[0]) for process in started]


@pytest.fixture(scope="module")
def alone():
    """What one process finds with all rows."""
    return measured(slice(None), 0)


def joined(lists):
    return list(chain.from_iterable(lists))


def double(figures):
    return torch.tensor(figures, dtype=torch.float64)


def close(found, expected):
    torch.testing.assert_close(double(found), double(expected), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["mean", "rows"])
def test_every_rank_has_the_figure_of_the_whole_batch(parts, alone, name):
    for part in parts:
        close(part[name], alone[name])


@pytest.mark.parametrize("name", ["mean_gradient", "rows_gradient"])
def test_gradients_of_the_ranks_are_those_of_the_whole_batch_times_their_number(parts, alone, name):
    close(joined(part[name] for part in parts), (RANKS * double(alone[name])).tolist())  # DDP divides by it


@pytest.mark.parametrize("kind", ["flat", "pixels"])
def test_batch_normalisation_is_over_the_whole_batch(parts, alone, kind):
    out, gradient, weight_gradient, *running = zip(*(part[kind] for part in parts), strict=True)
    expected = alone[kind]
    close(joined(out), expected[0])
    close(joined(gradient), (RANKS * double(expected[1])).tolist())
    close(double(weight_gradient).mean(0).tolist(), expected[2])
    for found, single in zip(running, expected[3:], strict=True):
        for rank in range(RANKS):
            close(found[rank], single)


@pytest.mark.parametrize(("kind", "shape"), [(nn.BatchNorm1d, (3,)), (nn.BatchNorm2d, (3, 2, 2))])
def test_alone_a_shared_batch_normalisation_is_torchs(kind, shape):
    x, own, torchs = whole(*shape), layer(kind)[0], kind(3, dtype=torch.float64)
    torchs.load_state_dict(own.state_dict())
    for _ in range(3):
        torch.testing.assert_close(own(x), torchs(x))
    torch.testing.assert_close(own.state_dict(), torchs.state_dict())
    torch.testing.assert_close(own.eval()(x), torchs.eval()(x))


def test_a_shared_batch_normalisation_has_the_layers_own_parameters():
    model = nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.BatchNorm1d(3)))
    weight, names = model[1][0].weight, list(model.state_dict())
    share_batch_norms(model)
    assert isinstance(model[1][0], SharedBatchNorm)
    assert model[1][0].weight is weight
    assert list(model.state_dict()) == names


def test_the_lowest_of_all_ranks(parts):
    assert [part["lowest"] for part in parts] == [2.0, 2.0]


def test_the_first_ranks_figures_in_all(parts):
    assert parts[0]["from_first"] == parts[1]["from_first"] == {"a": 1.5, "b": [1, 7]}


@pytest.mark.parametrize("size", [1, 2, 7, 64])
@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
def test_each_row_is_of_one_rank(size, ranks):
    shares = [list(range(size))[rows(size, rank, ranks)] for rank in range(ranks)]
    assert joined(shares) == list(range(size))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
