"""Where a bundle is fetched from; tests/workflow/test_round_trip.py places what is in it."""

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.hub.hub_server import serving
from thinksafe.errors import UserError
from thinksafe.release import restore
from thinksafe.release.archive import ReleaseError


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """Return a file that stands for a bundle."""
    path = tmp_path / "served/scores.tar.gz"
    path.parent.mkdir()
    path.write_bytes(b"a bundle")
    return path


def test_a_bundle_from_an_address(packed: Path, tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(packed.parent)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/"
        assert restore.fetch(address + packed.name, tmp_path).read_bytes() == packed.read_bytes()
        with pytest.raises(ReleaseError, match="cannot be downloaded .*404"):
            restore.fetch(address + "other.tar.gz", tmp_path)
    finally:
        server.shutdown()
        server.server_close()


def test_a_bundle_from_the_hub(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    with serving() as hub:
        template = hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        for name, value in {
            "ENDPOINT": hub.endpoint,
            "HUGGINGFACE_CO_URL_TEMPLATE": template,
            "HF_HUB_CACHE": str(tmp_path / "cache"),
            "HF_HUB_DISABLE_XET": True,
            "HF_HUB_OFFLINE": False,
        }.items():
            monkeypatch.setattr(constants, name, value)
        held = {"README.md": b"#", "scores.tar.gz": packed.read_bytes()}
        hub.add("dataset", "org/one", held)
        hub.add("dataset", "org/two", held | {"bundles/all.tar.gz": b"?"})
        for place in ("org/one", f"org/one@{'a' * 40}", "org/two:scores.tar.gz"):
            assert restore.fetch(place, tmp_path).read_bytes() == packed.read_bytes()
        with pytest.raises(ReleaseError, match="has 2 bundles; name one as org/two:FILE"):
            restore.fetch("org/two", tmp_path)
        with pytest.raises(ReleaseError, match="org/none: cannot be downloaded from the hub"):
            restore.fetch("org/none", tmp_path)


def test_a_place_that_is_none(tmp_path: Path) -> None:
    for place in ("no-such.tar.gz", "results/no/such.tar.gz", "one", "a/b/c"):
        with pytest.raises(UserError, match="no such file") as told:
            restore.fetch(place, tmp_path)
        assert told.value.code == 2
