"""A finished run, or a part of it, as one archive: how it is written, and how one from a stranger is read.

A bundle is a plain ustar archive of regular files in gzip, the first of them ``bundle.json``, which has size and digest
of every other one. Nothing is taken out of an archive before all of it has been read and found to be what it says
(`open_bundle`); what it holds is then judged against a config by thinksafe/release/restore.py.
"""

from __future__ import annotations

import ast
import codecs
import gzip
import hashlib
import io
import json
import re
import tarfile
import unicodedata
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from thinksafe.errors import UserError
from thinksafe.files import IDENTITY, RECORD, atomic
from thinksafe.models.location import base_of
from thinksafe.provenance.digests import canonical
from thinksafe.provenance.identity import file_digest
from thinksafe.study.stages import LEVELS

FORMAT = 1
# A tier is the deepest level whose results a bundle holds whole.
TABLES = LEVELS.index("tables")
TIERS = {name: LEVELS.index(name) for name in ("scores", "responses", "adapters", "datasets")} | {"all": 0}
# What a guard says where it gives a verdict, the miniature's oracle too; else it may repeat what it judged.
VERDICT = re.compile(
    r"|(un)?safe[\sS\d,]*|(\s*(Harmful request|Response refusal|Harmful response): (yes|no|N/A)\s*)+"
    r"|refused( in other words)?|answered a question|not a sentence of the world"
    r"|no single think block with an answer after it|gave steps for an? \w+ deed with [a-z ]{1,20}, [a-z ]{1,30}",
    re.ASCII,
)
COUNTS = (IDENTITY, ".statistics.json")  # of any rule
COMPANIONS = (RECORD, ".training.jsonl", ".fixed.json")  # stand beside an identity, and no rule's outputs
TEXT = (".json", ".jsonl", ".csv", ".md", ".html", ".tex", ".txt", ".jinja")
ENDINGS = (*TEXT, ".parquet", ".png", ".pdf", ".safetensors")
MAGIC = {".parquet": b"PAR1", ".png": b"\x89PNG\r\n\x1a\n", ".pdf": b"%PDF-"}
BINARY = {*MAGIC, ".safetensors"}

MANIFEST, PROVENANCE = "bundle.json", "provenance.json"
DOCUMENTS = re.compile(r"(bundle|provenance|ro-crate-metadata|config)\.json|(README|LICENCES)\.md")
WORKFLOW = re.compile(r"workflow/[\w.-]+(/[\w.-]+)*")
ELSEWHERE = "elsewhere"  # stands in a public bundle for a folder outside the workflow's
RUN = re.compile(r"[A-Za-z0-9][\w.-]*")

# Ten times what the paper's whole run takes (docs/cost.md), and what text of the kind here compresses to.
MAX_FILES = 1_000_000
MAX_BYTES = 1 << 40
MAX_RATIO = 250
MAX_TEXT = 1 << 28  # bytes of one document that is read into memory
CHUNK = 1 << 20
BLOCK = 512


class BundleError(UserError):
    """A bundle is not what it says, or not what may be placed."""

    code = 1


def reach(tier: str) -> str:
    """Return in words how deep a bundle of a tier goes."""
    return "whole" if tier == "all" else f"from its {tier} on"


def identity_among(outputs: list[str]) -> str:
    """Return the identity among a job's outputs; every rule that makes something has one."""
    return next(path for path in outputs if path.endswith(IDENTITY))


def name_anywhere(path: str) -> str:
    """Return a job's input without the folder where somebody's own file is; its content counts (`with_contents`)."""
    return path if path.startswith("results/") else PurePosixPath(path).name


def name_in_run(path: str) -> str:
    """Return a path as identities write it: from the run's folder (see `thinksafe.provenance.identity`)."""
    parts = PurePosixPath(path).parts
    return "/".join(parts[2:]) if parts[:1] == ("results",) and len(parts) > 2 else path


# ------------------------------------------------------------------------------------------------------------- writing
def write_bundle(path: Path, manifest: Mapping[str, Any], members: Mapping[str, Path | bytes]) -> None:
    """Write an archive whose bytes follow from its content alone.

    gzip, as most of the bytes are in formats that are compressed already, and xz would take an hour for a few per cent.
    No time and no name is in its header; other builds of zlib may pack the same content into other bytes.

    Parameters
    ----------
    manifest : what ``bundle.json`` says beside the ``files``
    members : a file, or its content, by its name in the archive
    """
    files = {name: facts(members[name]) for name in sorted(members)}
    manifest_bytes = json_bytes({**manifest, "format": FORMAT, "files": files})
    with atomic(path) as temporary, open(temporary, "wb") as raw:
        with (
            gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
        ):
            for name, content in [(MANIFEST, manifest_bytes), *((name, members[name]) for name in files)]:
                info = tarfile.TarInfo(name)  # owner 0, mode 644, time 0
                info.size = size_of(content)
                with io.BytesIO(content) if isinstance(content, bytes) else open(content, "rb") as handle:
                    archive.addfile(info, handle)


def json_bytes(value: Any) -> bytes:
    """Return a value as the bytes that `files.write_json` would write."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def size_of(content: Path | bytes) -> int:
    """Return the bytes of a content."""
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def facts(content: Path | bytes) -> dict[str, Any]:
    """Return size and digest of a content."""
    digest = hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else file_digest(content)
    return {"sha256": digest, "size": size_of(content)}


# ------------------------------------------------------------------------------------------------------------- reading
@dataclass
class Bundle:
    """A bundle of which every byte has been read and found to be what its manifest says.

    Attributes
    ----------
    manifest : ``run``, ``tier``, ``public``, ``target``, ``planned`` (the target in Snakemake's words), ``files`` (size
        and sha256 by name), ``withheld`` (sha256 by name), ``record_format`` and ``snakemake``
    jobs : the provenance of each job behind what is in it: ``rule``, ``outputs``, ``input``, ``params``, ...
    texts : identities and adapters' settings, parsed
    owner : which of the jobs a result belongs to
    """

    path: Path
    manifest: dict[str, Any]
    jobs: list[dict[str, Any]] = field(default_factory=list)
    texts: dict[str, Any] = field(default_factory=dict)
    owner: dict[str, int] = field(default_factory=dict)

    @property
    def run(self) -> str:
        """Return the run's name."""
        return self.manifest["run"]

    def digest(self, name: str) -> str | None:
        """Return the sha256 of a file that is in the bundle or withheld from it."""
        return self.manifest["files"].get(name, {}).get("sha256") or self.manifest["withheld"].get(name)

    def inside(self, folder: str) -> list[str]:
        """Return the files of a folder."""
        return [name for name in self.manifest["files"] if name.startswith(folder + "/")]

    def holds(self, output: str) -> bool:
        """Tell whether an output, a file or a folder, is in the bundle."""
        return output in self.manifest["files"] or bool(self.inside(output))


def open_bundle(path: Path) -> Bundle:
    """Return what is in a bundle, after all of it has been read and checked; nothing is written.

    Raises
    ------
    BundleError
        With what is wrong and with which file, where anything is.
    """
    bundle: Bundle | None = None
    seen: set[str] = set()
    texts: dict[str, bytes] = {}
    for name, size, chunks in members(path):
        if bundle is None:
            if name != MANIFEST:
                raise BundleError(
                    f"{path}: begins with {name}, not with {MANIFEST}; this is no bundle of ThinkSafe-Flow"
                )
            bundle = Bundle(path, _manifest(path, _whole(name, size, chunks)))
            continue
        if name in seen:
            raise BundleError(f"{path}: {name} is in it twice")
        seen.add(name)
        said = bundle.manifest["files"].get(name)
        if said is None:
            raise BundleError(f"{path}: {name} is in it, but not in its manifest")
        if size != said["size"]:
            raise BundleError(f"{path}: {name} has {size} bytes, its manifest says {said['size']}")
        reader = Reader(name, size)
        for chunk in chunks:
            reader.take(chunk)
        if reader.end() != said["sha256"]:
            raise BundleError(f"{path}: {name} is not what its manifest says (sha256)")
        if reader.kept is not None:
            texts[name] = bytes(reader.kept)
    if bundle is None:
        raise BundleError(f"{path}: is empty")
    if lost := sorted(set(bundle.manifest["files"]) - seen):
        raise BundleError(f"{path}: lacks {lost[0]}" + (f" and {len(lost) - 1} more" if len(lost) > 1 else ""))
    if PROVENANCE not in texts:
        raise BundleError(f"{path}: lacks {PROVENANCE}")
    bundle.texts = {name: parsed(name, text) for name, text in texts.items()}
    bundle.jobs = _jobs(bundle.texts.pop(PROVENANCE))
    _check_owners(bundle)
    for job in bundle.jobs:
        _check_job(bundle, job)
    return bundle


def members(path: Path) -> Iterator[tuple[str, int, Iterator[bytes]]]:
    """Yield name, size and content of each file of an archive; each content must be read before the next one.

    Not by `tarfile`'s own reader, which follows links, extended headers and sparse maps: a bundle has none.
    """
    limit = min(MAX_BYTES, MAX_RATIO * max(path.stat().st_size, 1 << 12))
    bomb = BundleError(f"{path}: unpacks to more than {limit:,} bytes; that is no bundle but a bomb")
    read = 0
    with gzip.open(path, "rb") as stream:
        for _ in range(MAX_FILES + 2):
            header = _read(path, stream, BLOCK)
            if header == bytes(BLOCK):
                while rest := _read(path, stream, CHUNK):  # to the end, so that gzip's own checksum is looked at
                    if rest.strip(b"\0") or (read := read + len(rest)) > limit:
                        raise BundleError(f"{path}: goes on after its end")
                return
            try:
                info = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
            except (tarfile.HeaderError, UnicodeError) as error:
                raise BundleError(f"{path}: is cut off or damaged ({error})") from None
            if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
                raise BundleError(f"{path}: {info.name} is no plain file (a link, folder, device or extended header)")
            if info.size < 0 or (read := read + info.size + BLOCK) > limit:
                raise bomb
            yield checked_name(path, info.name), info.size, _content(path, stream, info.size)
    raise BundleError(f"{path}: has more than {MAX_FILES:,} files")


def _content(path: Path, stream: Any, size: int) -> Iterator[bytes]:
    left = size
    while left:
        chunk = _read(path, stream, min(CHUNK, left))
        if not chunk:
            raise BundleError(f"{path}: is cut off")
        left -= len(chunk)
        yield chunk
    _read(path, stream, -size % BLOCK)


def _read(path: Path, stream: Any, size: int) -> bytes:
    try:
        return stream.read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BundleError(f"{path}: is cut off or damaged ({error})") from None


def checked_name(path: Path, name: str) -> str:
    """Return a name that stays inside the bundle's two folders, or is one of its documents."""
    parts = name.split("/")
    if name.startswith("/") or "\\" in name or not name.isprintable():
        raise BundleError(f"{path}: {name!r} is no relative path")
    if any(part in ("", ".", "..") or part.startswith(".") for part in parts):
        raise BundleError(f"{path}: {name!r} leaves its folder or is hidden")
    if parts[0] == "results":
        if len(parts) < 3 or not RUN.fullmatch(parts[1]) or parts[2] == "bundles":
            raise BundleError(f"{path}: {name!r} is no result of a run")
        if not name.endswith(ENDINGS):
            raise BundleError(
                f"{path}: {name!r} is of a kind that no rule makes, such as a pickle; weights are safetensors"
            )
    elif not (DOCUMENTS.fullmatch(name) or WORKFLOW.fullmatch(name)):
        raise BundleError(f"{path}: {name!r} has no place in a bundle")
    return name


def _whole(name: str, size: int, chunks: Iterator[bytes]) -> bytes:
    if size > MAX_TEXT:
        raise BundleError(f"{name} has {size:,} bytes; at most {MAX_TEXT:,} are read")
    return b"".join(chunks)


def parsed(name: str, text: bytes) -> Any:
    """Return JSON from a stranger."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{name}: is no JSON ({error})") from None


def _expect(fits: Any, what: str) -> None:
    if not fits:
        raise BundleError(what)


def _manifest(path: Path, text: bytes) -> dict[str, Any]:
    found = parsed(MANIFEST, text)
    _expect(isinstance(found, dict), f"{path}: {MANIFEST} is no manifest")
    _expect(
        found.get("format") == FORMAT,
        f"{path}: is of format {found.get('format')!r}; this version reads format {FORMAT} alone",
    )
    kinds = dict(
        run=str,
        tier=str,
        public=bool,
        target=str,
        planned=str,
        snakemake=str,
        record_format=int,
        files=dict,
        withheld=dict,
    )
    for key, kind in kinds.items():
        _expect(isinstance(found.get(key), kind), f"{path}: {MANIFEST} lacks {key}")
    for key in ("target", "planned", "snakemake"):  # these are shown
        _expect(found[key].isprintable(), f"{path}: {MANIFEST} has signs in {key} that cannot be printed")
    _expect(RUN.fullmatch(found["run"]), f"{path}: {found['run']!r} is no name of a run")
    _expect(found["tier"] in TIERS, f"{path}: there is no tier {found['tier']!r}")
    total = 0
    _expect(len(found["files"]) <= MAX_FILES, f"{path}: names more than {MAX_FILES:,} files")
    for name, facts in found["files"].items():
        checked_name(path, name)
        _expect(
            not name.startswith("results/") or name.split("/")[1] == found["run"], f"{path}: {name} is of another run"
        )
        _expect(
            isinstance(facts, dict)
            and type(facts.get("size")) is int
            and facts["size"] >= 0
            and _hex(facts.get("sha256")),
            f"{path}: {MANIFEST} has no size and digest of {name}",
        )
        total += facts["size"]
    for name, digest in found["withheld"].items():
        _expect(name.isprintable(), f"{path}: {MANIFEST} has signs in a name that cannot be printed")
        _expect(_hex(digest), f"{path}: {MANIFEST} has no digest of {name}, which is withheld")
    limit = min(MAX_BYTES, MAX_RATIO * max(path.stat().st_size, 1 << 12))
    _expect(total <= limit, f"{path}: unpacks to {total:,} bytes, more than {limit:,}; that is no bundle but a bomb")
    folders = {str(parent) for name in found["files"] for parent in PurePosixPath(name).parents}
    alike: dict[str, str] = {}
    for name in found["files"]:
        _expect(name not in folders, f"{path}: {name} is both a file and a folder")
        other = alike.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        _expect(other == name, f"{path}: {name!a} and {other!a} are one file on some file systems")
    return found


def _hex(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"[0-9a-f]{64}", value))


class Reader:
    """Reads a file once: its digest, whether it is of the kind that its name says, and what is kept of it."""

    def __init__(self, name: str, size: int) -> None:
        self.name, self.size, self.ending = name, size, PurePosixPath(name).suffix
        self.digest, self.head, self.tail = hashlib.sha256(), b"", b""
        keeps = name == PROVENANCE or name.endswith((IDENTITY, "/adapter_config.json"))
        if keeps and size > MAX_TEXT:
            raise BundleError(f"{name}: has {size:,} bytes; at most {MAX_TEXT:,} are read")
        self.kept = bytearray() if keeps else None
        self.header = bytearray()  # of safetensors
        self.decoder = None if self.ending in BINARY else codecs.getincrementaldecoder("utf-8")()

    def take(self, chunk: bytes) -> None:
        """Look at the next bytes."""
        self.digest.update(chunk)
        self.head, self.tail = (self.head + chunk[:8])[:8], (self.tail + chunk[-4:])[-4:]
        if self.kept is not None:
            self.kept += chunk
        if self.ending == ".safetensors" and len(self.header) < 8 + self._header_size():
            self.header += chunk[: 8 + self._header_size(chunk) - len(self.header)]
        if self.decoder:
            try:
                text = self.decoder.decode(chunk)
            except UnicodeError:
                raise BundleError(f"{self.name}: is no text, which its name says") from None
            if "\0" in text:
                raise BundleError(f"{self.name}: is no text, which its name says")

    def _header_size(self, chunk: bytes = b"") -> int:
        size = int.from_bytes(bytes(self.header[:8]) or chunk[:8], "little")
        if size > min(MAX_TEXT, max(self.size - 8, 0)):
            raise BundleError(f"{self.name}: holds no safetensors; a pickle may be in their place")
        return size

    def end(self) -> str:
        """Return the digest of what was read, which is of its kind."""
        if self.ending == ".safetensors":
            self._check_weights()
        elif magic := MAGIC.get(self.ending):
            if not self.head.startswith(magic) or (self.ending == ".parquet" and self.tail != magic):
                raise BundleError(f"{self.name}: is not of the kind that its name says")
        elif self.decoder:
            try:
                self.decoder.decode(b"", final=True)
            except UnicodeError:
                raise BundleError(f"{self.name}: is no text, which its name says") from None
        return self.digest.hexdigest()

    def _check_weights(self) -> None:
        """Weights are numbers behind a header in JSON, each tensor where the one before it ends."""
        wrong = BundleError(f"{self.name}: holds no safetensors; a pickle may be in their place")
        try:
            header = json.loads(bytes(self.header[8:]))
            spans = sorted(tensor["data_offsets"] for name, tensor in header.items() if name != "__metadata__")
            ends = [0, *(end for _, end in spans)]
            fits = [begin for begin, _ in spans] == ends[:-1] and ends[-1] == self.size - len(self.header)
        except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
            raise wrong from None
        if not fits:
            raise wrong


# ------------------------------------------------------------------------------------------------------- what it claims
JOB = {
    "rule": str,
    "outputs": list,
    "input": list,
    "params": list,
    "input_checksums": dict,
    "started": (int, float),
    "ended": (int, float),
}


def _jobs(found: Any) -> list[dict[str, Any]]:
    _expect(isinstance(found, list), f"{PROVENANCE}: is no list of jobs")
    for job in found:
        _expect(isinstance(job, dict) and set(job) == set(JOB), f"{PROVENANCE}: a job lacks a part or has one too many")
        for key, kind in JOB.items():
            _expect(isinstance(job[key], kind), f"{PROVENANCE}: {key} of {job['rule']!r} is of another kind")
        texts = [*job["outputs"], *job["input"], *job["params"], *job["input_checksums"].values()]
        _expect(all(isinstance(text, str) for text in texts), f"{PROVENANCE}: {job['rule']!r}: holds more than text")
        shown = [job["rule"], *job["outputs"], *job["input"]]
        _expect(all(text.isprintable() for text in shown), f"{PROVENANCE}: {job['rule']!r}: cannot be printed")
        _expect(
            any(path.endswith(IDENTITY) for path in job["outputs"]), f"{PROVENANCE}: {job['rule']}: has no identity"
        )
    return found


def _check_owners(bundle: Bundle) -> None:
    """Every result must be an output of one of the jobs, or in one, or stand beside its identity as records do."""
    outputs: dict[str, int] = {}
    for number, job in enumerate(bundle.jobs):
        for output in job["outputs"]:
            _expect(output.startswith(f"results/{bundle.run}/"), f"{PROVENANCE}: {output} is no result of this run")
            checked_name(bundle.path, output if output.endswith(ENDINGS) else output + "/x.json")
            _expect(outputs.setdefault(output, number) == number, f"{PROVENANCE}: {output} has two makers")
    beside = {
        path.removesuffix(IDENTITY) + ending: number
        for path, number in outputs.items()
        if path.endswith(IDENTITY)
        for ending in COMPANIONS
    }
    for name in bundle.manifest["files"]:
        if name.startswith("results/"):
            parents = (outputs.get(str(parent)) for parent in PurePosixPath(name).parents)
            within = next((number for number in parents if number is not None), None)
            number = outputs.get(name, beside.get(name, within))
            _expect(number is not None, f"{bundle.path}: {name} is made by none of the jobs that the bundle tells of")
            identity = identity_among(bundle.jobs[number]["outputs"])
            _expect(identity in bundle.texts, f"{bundle.path}: {name} comes without its identity, {identity}")
            bundle.owner[name] = number


def _check_job(bundle: Bundle, job: Mapping[str, Any]) -> None:
    """Hold a job's identity against the files and against what Snakemake has on record, where the bundle has it."""
    path = identity_among(job["outputs"])
    for name, checksum in job["input_checksums"].items():
        digest = bundle.digest(name)
        _expect(digest is None or checksum == f"sha256:{digest}", f"{path}: is on record with another {name}")
    if path not in bundle.texts:
        return
    told = bundle.texts[path]
    parts = ("content", "spec", "code", "environment", "inputs")
    _expect(
        isinstance(told, dict) and all(isinstance(told.get(part), dict) for part in parts), f"{path}: is no identity"
    )
    outputs = {name_in_run(output): output for output in job["outputs"] if output != path}
    strange = set(told["content"]) ^ set(outputs)
    _expect(not strange, f"{path}: is of other files than its job makes: {', '.join(sorted(strange))}")
    for name, digest in told["content"].items():
        found = content_in(bundle, outputs[name])
        _expect(found in (None, digest), f"{path}: {outputs[name]} is another one than it was made of")
    strange = set(told["inputs"]) ^ {name_in_run(name) for name in job["input"]}
    _expect(not strange, f"{path}: was made of other inputs than its job has: {', '.join(sorted(strange))}")
    for name in job["input"]:
        found = input_in(bundle, name)
        _expect(
            found in (None, told["inputs"][name_in_run(name)]), f"{path}: was made of another {name} than the bundle's"
        )
    said = sorted(canonical(told[part]) for part in ("spec", "code", "environment"))  # Snakemake keeps no names
    _expect(
        said == sorted(unquoted(text) for text in job["params"]), f"{path}: was made with other params than recorded"
    )
    _check_adapter(bundle, path.removesuffix(IDENTITY), told["spec"])


def unquoted(text: str) -> str:
    """Return a param from its record: Snakemake keeps what Python writes a string as."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise BundleError(f"{PROVENANCE}: {text[:60]!r} is no recorded param") from None
    return str(value)


def content_in(bundle: Bundle, output: str) -> str | None:
    """Return the digest of an output as identities have it, if the bundle tells; see `manifests.content_digest`."""
    if (digest := bundle.digest(output)) is not None:
        return digest
    files = sorted(PurePosixPath(name) for name in bundle.inside(output))
    if not files:
        return None
    listing = [[str(file.relative_to(output)), bundle.digest(str(file))] for file in files]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()


def input_in(bundle: Bundle, path: str) -> str | None:
    """Return the digest of an input as identities have it, if the bundle tells; see `manifests.input_digest`."""
    if path.endswith(IDENTITY) and path in bundle.texts:
        content = bundle.texts[path].get("content")
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return None if path.endswith(IDENTITY) else content_in(bundle, path)


def _check_adapter(bundle: Bundle, folder: str, spec: Mapping[str, Any]) -> None:
    """An adapter must say that it belongs to the model that it was trained on."""
    told = bundle.texts.get(f"{folder}/adapter_config.json")
    if told is None:
        return
    base = base_of(spec.get("model") or {}, spec.get("student"))
    said = {"name": told.get("base_model_name_or_path"), "revision": told.get("revision")}
    _expect(
        said == base,
        f"{folder}: says that its base is {said['name']} at {said['revision']}, and was trained on {base['name']} at "
        f"{base['revision']}",
    )


def extract(bundle: Bundle, wanted: Callable[[str], Path | None]) -> None:
    """Write files of a bundle, each checked once more while it is written: the archive may have been changed meanwhile.

    Parameters
    ----------
    wanted : where a file goes, by its name; None leaves it out
    """
    for name, _, chunks in members(bundle.path):
        target = None if name == MANIFEST else wanted(name)
        if target is None:
            for _ in chunks:
                pass
            continue
        digest = hashlib.sha256()
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "xb") as handle:
            for chunk in chunks:
                digest.update(chunk)
                handle.write(chunk)
        if digest.hexdigest() != bundle.manifest["files"].get(name, {}).get("sha256"):
            raise BundleError(f"{bundle.path}: {name} has changed while it was read")
