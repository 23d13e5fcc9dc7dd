"""The page of an examined model, in a browser."""

import vae_lab


def test_the_page_shows_what_to_change_and_no_empty_curves(chromium, plain, x, tmp_path):
    nothing = {"encode": lambda x: (0 * x[:, :2], 0 * x[:, :2]), "decode": plain.decode, "likelihood": "bernoulli"}
    report = vae_lab.examine(x, beta=99, importance_samples=0, **nothing)
    folder = report.save(tmp_path / "mine", figures=False)
    chromium.get((folder / "report.html").as_uri())
    assert not chromium.find_element("id", "curves").is_displayed()
    assert chromium.find_element("id", "plane").is_displayed()
    chromium.execute_script("document.querySelector('#runs tbody tr td:last-child').click()")
    panel = chromium.find_element("css selector", "#runs .panel").text
    assert "- loss = distortion + 99 * kl\n+ loss = distortion +" in panel
    assert "finished: trained elsewhere" in panel and "steps" not in panel
    assert [entry for entry in chromium.get_log("browser") if entry["level"] == "SEVERE"] == []
