"""``python -m vae_lab.dashboard``: a workspace into a file with no account, and mistakes in one line."""

import json

import pytest

pytest.importorskip("wandb_workspaces")

PANELS = [
    ("KL", "KL (rate), nats per image, by model.beta"),
    ("KL", "KL (rate), nats per image, by free_bits.epsilon"),
    ("KL", "KL (rate), nats per image"),
    ("KL", "KL weight"),
    ("Distortion", "Distortion, nats per image, by model.beta"),
    ("Distortion", "Distortion, nats per image, by free_bits.epsilon"),
    ("Distortion", "ELBO, nats per image"),
    ("What z carries", "Mutual information, nats, by model.beta"),
    ("What z carries", "Shuffle gap, nats per image, by model.beta"),
    ("What z carries", "Active units, by model.beta"),
    ("Figures of the test split", "Rate-distortion plane, coloured by β"),
    ("Figures of the test split", "Settings and what came of them"),
    ("Runs", None),  # wandb's own comparison of runs has no title
]


@pytest.fixture
def dashboard(tmp_path, monkeypatch, capsys):
    """Runs the command with arguments, logged in nowhere; returns the exit code or message, and what was printed."""
    monkeypatch.chdir(tmp_path)
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    # wandb remembers for the whole process the key that another test has used
    monkeypatch.setattr("vae_lab.training.loggers.wandb.has_account", lambda: False)

    def call(*arguments):
        from vae_lab.console import command
        from vae_lab.dashboard import USAGE, main

        monkeypatch.setattr("sys.argv", ["dashboard", *arguments])
        try:
            command(main, USAGE)
        except SystemExit as stop:
            return stop.code, capsys.readouterr().out
        return 0, capsys.readouterr().out

    return call


def test_a_dry_run_writes_the_panels_with_no_account_and_no_network(dashboard, tmp_path):
    code, out = dashboard("project=vae", "entity=me", "dry_run=true", "file=space.json")
    assert code == 0
    written = json.loads((tmp_path / "space.json").read_text(encoding="utf-8"))
    assert (written["project"], written["entity"]) == ("vae", "me")
    sections = written["spec"]["section"]["panelBankConfig"]["sections"]
    found = [
        (section["name"], panel["config"].get("chartTitle")) for section in sections for panel in section["panels"]
    ]
    assert found == PANELS
    columns = written["spec"]["section"]["runSets"][0]["runFeed"]["columnOrder"]
    assert {"run:displayName", "run:group", "summary:collapse", "config:model.beta"} <= set(columns)
    for section, title in PANELS[:-1]:
        assert f"{section}: {title}\n" in out
    assert out.endswith("next: python -m vae_lab.dashboard project=vae entity=me\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "error: project: must be given, the name of a wandb project"),
        (["project=vae"], "error: no account: run wandb login first, or set WANDB_API_KEY; dry_run=true needs none"),
        (["project=vae", "dry_run=yes"], "error: dry_run=yes: must be true or false"),
        (["projekt=vae"], "error: projekt=vae: no such option (did you mean project?)"),
        (["project=vae", "dry_run=true", "file=no/such/folder.json"], "error: file=no/such/folder.json: cannot be"),
    ],
)
def test_mistakes_are_one_line(dashboard, arguments, words):
    code, _ = dashboard(*arguments)
    assert code.startswith(words)
    assert "\n" not in code


def test_a_missing_package_is_named(dashboard, monkeypatch):
    monkeypatch.setattr("vae_lab.dashboard.find_spec", lambda name: None)
    code, _ = dashboard("project=vae", "dry_run=true")
    assert code == "error: wandb-workspaces is not installed; pip install 'vae_lab[workspaces]'"


def test_a_server_that_refuses_is_one_line(dashboard, monkeypatch):
    from wandb_workspaces.workspaces import Workspace

    def refuses(self):
        raise RuntimeError("permission denied")

    monkeypatch.setattr("vae_lab.training.loggers.wandb.has_account", lambda: True)
    monkeypatch.setattr(Workspace, "save", refuses)
    code, _ = dashboard("project=vae", "entity=me")
    assert code == "error: project=vae: wandb cannot save the workspace (RuntimeError: permission denied)"
