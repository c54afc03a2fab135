"""Bundles: the same content gives the same bytes, and one from an untrusted source is refused for any fault."""

import gzip
import hashlib
import io
import json
import pickle
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from thinksafe.provenance.digests import canonical
from thinksafe.provenance.identity import content_digest
from thinksafe.release import archive
from thinksafe.release.archive import ReleaseError, json_bytes, open_bundle, write_bundle

ADAPTER = "results/tiny/adapters/a/trained-with/m/replicate-0"
WEIGHTS = f"{ADAPTER}/adapter_model.safetensors"
DATASET = "results/tiny/datasets/a/for/m/replicate-0.parquet"
HEAD = {
    "run": "tiny",
    "tier": "adapters",
    "public": False,
    "target": "all",
    "planned": "all",
    "snakemake": "9.27.1",
    "record_format": 6,
    "withheld": {},
}
Members = dict[str, bytes]


def safetensors(values: bytes = b"\0" * 8) -> bytes:
    """Return one tensor in the format's own bytes."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, len(values)]}}).encode()
    return struct.pack("<Q", len(header)) + header + values


def content(folder: Path, base: str = "a", weights: bytes | None = None) -> Members:
    """Return the members of a good bundle: an adapter, its identity, and how it was made."""
    files = {
        f"{ADAPTER}/adapter_config.json": json_bytes({"base_model_name_or_path": base, "revision": None}),
        WEIGHTS: safetensors() if weights is None else weights,
    }
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    parts = {"spec": {"student": "a", "model": {"built": "student"}}, "code": {"scripts/x.py": "0"}, "environment": {}}
    identity = {
        **parts,
        "content": {ADAPTER.removeprefix("results/tiny/"): content_digest(folder / ADAPTER)},
        "inputs": {DATASET.removeprefix("results/tiny/"): "0" * 64},
    }
    job = {
        "rule": "train_student",
        "outputs": [ADAPTER, f"{ADAPTER}.identity.json"],
        "input": [DATASET],
        "params": sorted(repr(canonical(part)) for part in parts.values()),
        "input_checksums": {DATASET: "sha256:" + "0" * 64},
        "started": 1.0,
        "ended": 2.0,
    }
    return files | {
        f"{ADAPTER}.identity.json": json_bytes(identity),
        f"{ADAPTER}.record.json": json_bytes({"wall_seconds": 1}),
        "provenance.json": json_bytes([job]),
        "README.md": b"# tiny\n",
    }


@pytest.fixture
def good(tmp_path: Path) -> Members:
    return content(tmp_path / "files")


def packed(path: Path, members: Members, head: dict[str, Any] | None = None) -> Path:
    write_bundle(path, HEAD if head is None else head, members)
    return path


def changed(job: Callable[[dict[str, Any]], None], members: Members) -> Members:
    """Return the members with another provenance."""
    jobs = json.loads(members["provenance.json"])
    job(jobs[0])
    return members | {"provenance.json": json_bytes(jobs)}


def raw(path: Path, infos: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    """Write an archive of anything at all."""
    with (
        gzip.open(path, "wb") as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for info, data in infos:
            archive.addfile(info, io.BytesIO(data))
    return path


def infos(members: Members, head: dict[str, Any] | None = None) -> list[tuple[tarfile.TarInfo, bytes]]:
    """Return what `write_bundle` would write, to be spoilt."""
    files = {name: archive.facts(data) for name, data in members.items()}
    found = []
    for name, data in {
        "bundle.json": json_bytes({**HEAD, "format": 1, "files": files, **(head or {})}),
        **members,
    }.items():
        info = tarfile.TarInfo(name)
        info.size = len(data)
        found.append((info, data))
    return found


# ------------------------------------------------------------------------------------------------------------ good ones
def test_the_same_content_gives_the_same_bytes(good: Members, tmp_path: Path) -> None:
    one, two = (
        packed(tmp_path / name, members) for name, members in (("1", good), ("2", dict(reversed(good.items()))))
    )
    assert one.read_bytes() == two.read_bytes()
    assert packed(tmp_path / "3", good | {"README.md": b"# Tiny\n"}).read_bytes() != one.read_bytes()


def test_a_bundle_opens_with_what_was_put_in(good: Members, tmp_path: Path) -> None:
    bundle = open_bundle(packed(tmp_path / "b.tar.gz", good))
    assert set(bundle.owner) == {name for name in good if name.startswith("results/")}
    assert bundle.run == "tiny" and bundle.jobs[0]["rule"] == "train_student" and bundle.holds(ADAPTER)
    out = tmp_path / "out"
    archive.extract(bundle, out, {WEIGHTS})
    assert [path for path in out.rglob("*") if path.is_file()] == [out / WEIGHTS]
    assert (out / WEIGHTS).read_bytes() == good[WEIGHTS]


def test_ordinary_tools_read_it(good: Members, tmp_path: Path) -> None:
    with tarfile.open(packed(tmp_path / "b.tar.gz", good)) as archive:
        assert archive.getnames() == ["bundle.json", *sorted(good)]
        assert {(info.mtime, info.uid, info.uname, info.mode) for info in archive} == {(0, 0, "", 0o644)}


# --------------------------------------------------------------------------------------------------------- hostile ones
def refused(path: Path, words: str) -> None:
    """A bundle is refused with these words, and nothing is written."""
    around = sorted(path.parent.rglob("*"))
    with pytest.raises(ReleaseError, match=words):
        open_bundle(path)
    assert sorted(path.parent.rglob("*")) == around


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd.json",
        "../outside.json",
        "results/tiny/../../outside.json",
        "results/tiny/./x.json",
        "results//x.json",
        "results/tiny/.hidden/x.json",
        "results/tiny/bundles/x.json",
        "results/../x.json",
        "workflow/../../x",
        "thinksafe/files.py",
        "Snakefile",
        "results/tiny/a\\b.json",
        "results/tiny/a\nb.json",
        ".snakemake/metadata/x",
    ],
)
def test_a_path_that_leads_elsewhere(name: str, good: Members, tmp_path: Path) -> None:
    refused(raw(tmp_path / "b.tar.gz", infos(good | {name: b"{}"})), "not a relative path|leaves|not a result|no place")
    plain = tarfile.TarInfo(name)  # in the archive alone
    refused(
        raw(tmp_path / "c.tar.gz", [*infos(good), (plain, b"")]), "not a relative path|leaves|not a result|no place"
    )


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_what_is_no_plain_file(kind: bytes, good: Members, tmp_path: Path) -> None:
    link = tarfile.TarInfo(f"{ADAPTER}/extra.json")
    link.type, link.linkname = kind, "/etc/passwd"
    refused(raw(tmp_path / "b.tar.gz", [*infos(good), (link, b"")]), "not a plain file")


def test_a_negative_size(good: Members, tmp_path: Path) -> None:
    """In base 256, as GNU tar writes large numbers: a reader that believes it goes round and round."""
    back = tarfile.TarInfo("README.md")
    back.size = -512
    with gzip.open(tmp_path / "b.tar.gz", "wb") as stream:
        for info, data in infos(good)[:-1]:
            stream.write(info.tobuf(tarfile.USTAR_FORMAT) + data + b"\0" * (-len(data) % 512))
        stream.write(back.tobuf(tarfile.GNU_FORMAT) + b"\0" * 1024)
    refused(tmp_path / "b.tar.gz", "not a plain file")


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_extended_headers(form: int, good: Members, tmp_path: Path) -> None:
    info = tarfile.TarInfo("results/tiny/" + "x" * 300 + ".json")
    with (
        gzip.open(tmp_path / "b.tar.gz", "wb") as stream,
        tarfile.open(fileobj=stream, mode="w", format=form) as archive,
    ):
        for one, data in infos(good):
            archive.addfile(one, io.BytesIO(data))
        archive.addfile(info)
    refused(tmp_path / "b.tar.gz", "not a plain file")


def test_a_bomb_by_its_manifest(good: Members, tmp_path: Path) -> None:
    bomb = good | {"results/tiny/tables/x.csv": b" " * 4_000_000}
    refused(raw(tmp_path / "b.tar.gz", infos(bomb)), "bomb")


def test_a_bomb_that_its_manifest_denies(good: Members, tmp_path: Path) -> None:
    """Neither the manifest's own size nor what follows it is believed."""
    huge = tarfile.TarInfo("README.md")
    huge.size = 4_000_000
    parts = infos(good)
    refused(raw(tmp_path / "b.tar.gz", [parts[0], (huge, b" " * huge.size)]), "bomb")
    huge.name = "bundle.json"
    refused(raw(tmp_path / "c.tar.gz", [(huge, b" " * huge.size)]), "bomb")


def test_a_bomb_behind_the_end(good: Members, tmp_path: Path) -> None:
    path = raw(tmp_path / "b.tar.gz", infos(good))
    path.write_bytes(path.read_bytes() + gzip.compress(b"\0" * 4_000_000))
    refused(path, "continues after its end")


def test_too_many_files(good: Members, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = packed(tmp_path / "b.tar.gz", good)
    monkeypatch.setattr(archive, "MAX_FILES", 3)
    refused(path, "more than 3 files")


def test_a_wrong_digest(good: Members, tmp_path: Path) -> None:
    parts = infos(good)
    spoilt = [(info, safetensors(b"\1" * 8) if info.name == WEIGHTS else data) for info, data in parts]
    refused(raw(tmp_path / "b.tar.gz", spoilt), "is not what its manifest says")


@pytest.mark.parametrize("keep", [0, 30, 0.3, 0.6, 0.99, -1, -9])
def test_a_truncated_archive(keep: float, good: Members, tmp_path: Path) -> None:
    whole = packed(tmp_path / "b.tar.gz", good).read_bytes()
    (tmp_path / "c.tar.gz").write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    refused(tmp_path / "c.tar.gz", "truncated|damaged|is empty")


def test_an_archive_that_ends_between_two_files(good: Members, tmp_path: Path) -> None:
    refused(raw(tmp_path / "b.tar.gz", infos(good)[:-2]), "lacks")


def test_a_flipped_bit(good: Members, tmp_path: Path) -> None:
    whole = bytearray(packed(tmp_path / "b.tar.gz", good).read_bytes())
    whole[len(whole) // 2] ^= 1
    (tmp_path / "c.tar.gz").write_bytes(whole)
    refused(tmp_path / "c.tar.gz", "damaged|manifest|JSON|not text|truncated|not a plain file|continues")


def test_a_name_that_stands_twice(good: Members, tmp_path: Path) -> None:
    parts = infos(good)
    refused(raw(tmp_path / "b.tar.gz", [*parts, parts[1]]), "is in it twice")


def test_a_file_where_a_folder_is(good: Members, tmp_path: Path) -> None:
    name = "results/tiny/x.json"
    refused(
        raw(tmp_path / "b.tar.gz", infos(good | {name: b"{}", f"{name}/y.json": b"{}"})), "both a file and a folder"
    )


@pytest.mark.parametrize("other", ["results/tiny/TABLES/x.json", "results/tiny/tables/e\u0301.json"])
def test_names_that_are_one_file_on_some_file_systems(other: str, good: Members, tmp_path: Path) -> None:
    twins = {"results/tiny/tables/x.json": b"{}", "results/tiny/tables/\u00e9.json": b"{}", other: b"{}"}
    refused(packed(tmp_path / "b.tar.gz", good | twins), "are one file on some file systems")


def test_a_manifest_that_names_other_files(good: Members, tmp_path: Path) -> None:
    more = infos(good, {"files": {name: archive.facts(data) for name, data in (good | {"README.md": b""}).items()}})
    refused(raw(tmp_path / "a.tar.gz", more), "README.md has 7 bytes")
    refused(raw(tmp_path / "b.tar.gz", [*infos(good), infos({"LICENCES.md": b"?"})[1]]), "not in its manifest")
    refused(
        packed(tmp_path / "c.tar.gz", good | {"results/tiny/tables/table1.csv": b"a\n"}), "made by none of the jobs"
    )
    refused(packed(tmp_path / "d.tar.gz", good | {"results/other/x.json": b"{}"}), "is of another run")


def test_an_identity_that_names_other_files(good: Members, tmp_path: Path) -> None:
    name = f"{ADAPTER}.identity.json"

    def identity(**parts: Any) -> Members:
        return good | {name: json_bytes(json.loads(good[name]) | parts)}

    refused(
        packed(tmp_path / "a.tar.gz", identity(content={"tables/table1.csv": "0" * 64})),
        "content: has other files than its job",
    )
    wrong = {ADAPTER.removeprefix("results/tiny/"): "1" * 64}
    refused(packed(tmp_path / "b.tar.gz", identity(content=wrong)), "content: .* has another digest in the bundle")
    refused(packed(tmp_path / "c.tar.gz", identity(inputs={})), "inputs: has other files than its job")
    refused(packed(tmp_path / "d.tar.gz", identity(spec={"student": "b"})), "other params than its job's record")
    lost = {key: data for key, data in good.items() if key != name}
    refused(packed(tmp_path / "e.tar.gz", lost), "comes without its identity")


def test_a_provenance_that_claims_other_files(good: Members, tmp_path: Path) -> None:
    for number, output in enumerate(("results/other/x", "config/config.yaml", "results/tiny/../x")):
        more = changed(lambda job: job["outputs"].append(output), good)  # noqa: B023 - called at once
        refused(packed(tmp_path / f"{number}.tar.gz", more), "not a result of this run|leaves")
    data = b"PAR1PAR1"
    more = changed(lambda job: job["outputs"].append(DATASET), good | {DATASET: data})
    refused(packed(tmp_path / "c.tar.gz", more), "was recorded with another")
    strange = changed(lambda job: job["params"].append("__import__('os').getcwd()"), good)
    refused(packed(tmp_path / "d.tar.gz", strange), "not a recorded param")
    refused(packed(tmp_path / "e.tar.gz", good | {"provenance.json": b"[" * 100_000}), "JSON")


def test_what_would_write_to_the_terminal(good: Members, tmp_path: Path) -> None:
    refused(raw(tmp_path / "a.tar.gz", infos(good, {"target": "all\x1b[2J"})), "cannot be printed")
    held_back = {"withheld": {"results/tiny/x\x1b[2J.json": "0" * 64}}
    refused(raw(tmp_path / "c.tar.gz", infos(good, held_back)), "cannot be printed")
    more = changed(lambda job: job["input"].append("x\x1b[2J"), good)
    refused(packed(tmp_path / "b.tar.gz", more), "cannot be printed")


def test_a_pickle_in_place_of_safetensors(tmp_path: Path) -> None:
    bad = pickle.dumps({"w": [0.0, 0.0]})
    refused(packed(tmp_path / "a.tar.gz", content(tmp_path / "1", weights=bad)), "a pickle may be in their place")
    late = safetensors()[:-8] + bad  # behind a header that is good
    refused(packed(tmp_path / "b.tar.gz", content(tmp_path / "2", weights=late)), "a pickle may be in their place")
    refused(packed(tmp_path / "c.tar.gz", content(tmp_path / "3", weights=b"")), "a pickle may be in their place")
    for ending in (".bin", ".pt", ".pkl", ".npy", ".py"):
        name = f"{ADAPTER}/adapter_model{ending}"
        refused(raw(tmp_path / f"d{ending}.gz", infos(content(tmp_path / "4") | {name: bad})), "such as a pickle")
    named = content(tmp_path / "5") | {f"{ADAPTER}.training.jsonl": bad}
    refused(packed(tmp_path / "e.tar.gz", named), "is not text")


def test_an_adapter_whose_base_differs(tmp_path: Path) -> None:
    refused(
        packed(tmp_path / "b.tar.gz", content(tmp_path / "1", base="b")),
        "names b at None as its base, but was trained on a",
    )


def test_other_formats_are_told(good: Members, tmp_path: Path) -> None:
    refused(raw(tmp_path / "a.tar.gz", infos(good, {"format": 2})), "reads only format 1")
    refused(raw(tmp_path / "b.tar.gz", infos(good)[1:]), "this is no bundle")
    (tmp_path / "c.tar.gz").write_bytes(b"PK\x03\x04 a zip")
    refused(tmp_path / "c.tar.gz", "damaged")
    refused(raw(tmp_path / "d.tar.gz", infos(good, {"files": 3})), "'files': Input should be a valid dict")


def test_what_changes_while_it_is_placed(good: Members, tmp_path: Path) -> None:
    bundle = open_bundle(packed(tmp_path / "b.tar.gz", good))
    packed(tmp_path / "b.tar.gz", content(tmp_path / "2", weights=safetensors(b"\1" * 8)))
    with pytest.raises(ReleaseError, match="has changed since it was checked"):
        archive.extract(bundle, tmp_path / "out", {WEIGHTS})
    assert hashlib.sha256(good[WEIGHTS]).hexdigest() == bundle.digest(WEIGHTS)
