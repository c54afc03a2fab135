"""A bundle: a finished run, or a part of it, in one archive that is checked as a whole before a file is extracted.

A bundle is a gzipped ustar archive of regular files. The first of them, ``bundle.json``, holds size and sha256 of every
other one. `open_bundle` reads the archive once and refuses whatever differs from the manifest, the identities or the
provenance in it; thinksafe/release/restore.py then compares the bundle with a config.
"""

import ast
import gzip
import hashlib
import io
import json
import re
import tarfile
import unicodedata
import zlib
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import pydantic
from typing_extensions import TypedDict

from thinksafe.errors import UserError
from thinksafe.files import IDENTITY, RECORD, atomic
from thinksafe.models.location import base_of
from thinksafe.provenance.digests import canonical
from thinksafe.provenance.identity import file_digest
from thinksafe.study.stages import LEVELS

FORMAT = 1
# A tier is the deepest level whose results a bundle holds in full.
TABLES = LEVELS.index("tables")
TIERS = {name: LEVELS.index(name) for name in ("scores", "responses", "adapters", "datasets")} | {"all": 0}
Content = Path | bytes  # of a file in a bundle or a repository
COMPANIONS = (RECORD, ".training.jsonl", ".fixed.json")  # beside an identity, and outputs of no rule
TEXT = (".json", ".jsonl", ".csv", ".md", ".html", ".tex", ".txt", ".jinja")
MAGIC = {".parquet": b"PAR1", ".png": b"\x89PNG\r\n\x1a\n", ".pdf": b"%PDF-"}
ENDINGS = (*TEXT, *MAGIC, ".safetensors")

MANIFEST, PROVENANCE = "bundle.json", "provenance.json"
# Documents, and files of the workflow.
OTHERS = re.compile(
    r"(bundle|provenance|ro-crate-metadata|config)\.json|(README|LICENCES)\.md|workflow/[\w.-]+(/[\w.-]+)*"
)

# Ten times the paper's whole run (docs/cost.md), and the ratio to which text of this kind compresses.
MAX_FILES = 1_000_000
MAX_BYTES = 1 << 40
MAX_RATIO = 250
MAX_TEXT = 1 << 28  # bytes of a file that is read into memory
CHUNK = 1 << 20


class ReleaseError(UserError):
    """A bundle contradicts itself or must not be placed, or something must not be published."""

    code = 1


def _expect(fits: Any, otherwise: str) -> None:
    if not fits:
        raise ReleaseError(otherwise)


def scope_of(manifest: Mapping[str, Any]) -> str:
    """Return in words how much of a run a bundle holds."""
    reach = "whole" if manifest["tier"] == "all" else f"from its {manifest['tier']} on"
    return f"{reach} ({manifest['target']})" + (", without prompts and responses" if manifest["public"] else "")


def identity_among(outputs: list[str]) -> str:
    """Return the identity among a job's outputs; every rule that makes something has one."""
    return next(path for path in outputs if path.endswith(IDENTITY))


def name_anywhere(path: str) -> str:
    """Return a job's input without the folder of a user's own file, which counts by its content (`with_contents`)."""
    return path if path.startswith("results/") else PurePosixPath(path).name


def name_in_run(path: str) -> str:
    """Return a path as identities write it: relative to the run's folder (`thinksafe.provenance.identity`)."""
    parts = PurePosixPath(path).parts
    return "/".join(parts[2:]) if parts[:1] == ("results",) and len(parts) > 2 else path


def write_bundle(path: Path, manifest: Mapping[str, Any], members: Mapping[str, Content]) -> None:
    """Write ``members``, by their names in the archive, and ``manifest``, to which ``files`` is added.

    The bytes depend on the content only, but other builds of zlib may compress it to other bytes. gzip, since most
    files are compressed already, and xz would take an hour for a few per cent.
    """
    files = {name: facts(members[name]) for name in sorted(members)}
    contents = {MANIFEST: json_bytes({**manifest, "format": FORMAT, "files": files})}
    with (
        atomic(path) as temporary,
        open(temporary, "wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, content in (contents | {name: members[name] for name in files}).items():
            info = tarfile.TarInfo(name)  # owner 0, mode 644, time 0
            info.size = size_of(content)
            with io.BytesIO(content) if isinstance(content, bytes) else open(content, "rb") as handle:
                archive.addfile(info, handle)


def json_bytes(value: Any) -> bytes:
    """Return a value as the bytes that `files.write_json` would write."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def bytes_of(content: Content) -> bytes:
    """Return the bytes of a file or content."""
    return content if isinstance(content, bytes) else content.read_bytes()


def size_of(content: Content) -> int:
    """Return the size of a file or content in bytes."""
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def facts(content: Content) -> dict[str, Any]:
    """Return size and sha256 of a file or content."""
    digest = hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else file_digest(content)
    return {"sha256": digest, "size": size_of(content)}


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has characters that cannot be printed")
    return text


Text = Annotated[str, pydantic.AfterValidator(_printable)]
Digest = Annotated[str, pydantic.StringConstraints(pattern="^[0-9a-f]{64}$")]
Run = Annotated[str, pydantic.StringConstraints(pattern=r"^[A-Za-z0-9][\w.-]*$")]
STRICT = pydantic.ConfigDict(strict=True, extra="forbid")


@pydantic.with_config(STRICT)
class Facts(TypedDict):
    """Size in bytes and digest of a file."""

    size: pydantic.NonNegativeInt
    sha256: Digest


@pydantic.with_config(STRICT)
class Manifest(TypedDict):
    """``bundle.json``: ``planned`` is the target in Snakemake's words, ``withheld`` has sha256 by name."""

    format: int
    run: Run
    tier: Text
    public: bool
    target: Text
    planned: Text
    snakemake: Text
    record_format: int
    files: dict[str, Facts]
    withheld: dict[Text, Digest]


@pydantic.with_config(STRICT)
class Job(TypedDict):
    """How a job's outputs were made, from Snakemake's records; times in seconds since 1970."""

    rule: Text
    outputs: list[Text]
    input: list[Text]
    params: list[str]
    input_checksums: dict[str, str]
    started: float
    ended: float


@dataclass
class Bundle:
    """A bundle whose every byte has been read and agrees with its manifest."""

    path: Path
    manifest: Manifest
    jobs: list[Job] = field(default_factory=list)  # all that are behind its files
    texts: dict[str, Any] = field(default_factory=dict)  # identities and adapters' settings, parsed, by name
    owner: dict[str, int] = field(default_factory=dict)  # of a result: the number of the job that made it

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
        """Return whether an output, a file or a folder, is in the bundle."""
        return output in self.manifest["files"] or bool(self.inside(output))

    def is_here(self, name: str) -> bool:
        """Return whether a file in the current folder is the bundle's."""
        return Path(name).is_file() and file_digest(name) == self.digest(name)


class PlainFile(tarfile.TarInfo):
    """A regular file in an archive; `tarfile` never sees a link, folder, device, sparse map or extended header."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> "PlainFile":
        """Return the file that a header describes, which is one block of the archive."""
        try:
            info = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if buf == bytes(tarfile.BLOCKSIZE):
                raise  # the archive's end
            raise ReleaseError(f"is truncated or damaged ({error})") from None
        _expect(
            info.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and info.size >= 0,
            f"{info.name!r} is not a plain file but a link, folder, device or extended header",
        )
        return info


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    """Open an archive; whatever is wrong with it, here or while it is read, is a ReleaseError that names it."""
    try:
        with (
            gzip.open(path, "rb") as stream,
            tarfile.open(fileobj=stream, mode="r:", tarinfo=PlainFile, encoding="utf-8", errors="strict") as archive,
        ):
            yield archive
    except ReleaseError as error:
        raise ReleaseError(f"{path}: {error}") from None
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, UnicodeError) as error:
        raise ReleaseError(f"{path}: is truncated or damaged ({error})") from None


def open_bundle(path: Path) -> Bundle:
    """Return a bundle after all of it has been read and checked; raise ReleaseError with what is wrong, and where."""
    bundle: Bundle | None = None
    limit = min(MAX_BYTES, MAX_RATIO * max(path.stat().st_size, 1 << 12))
    seen: set[str] = set()
    with _opened(path) as archive:
        stream = archive.fileobj
        for info in archive:
            name = info.name
            _expect(stream.tell() + info.size <= limit, f"unpacks to more than {limit:,} bytes; this is a bomb")
            if bundle is None:
                _expect(name == MANIFEST, f"begins with {name!r}, not {MANIFEST}; this is no bundle of ThinkSafe-Flow")
                bundle = Bundle(path, _manifest(_read(info, archive)[1], limit))
                continue
            check_name(name, bundle.run)
            _expect(name not in seen, f"{name} is in it twice")
            seen.add(name)
            stated = bundle.manifest["files"].get(name)
            _expect(stated, f"{name} is in it, but not in its manifest")
            _expect(info.size == stated["size"], f"{name} has {info.size} bytes, its manifest says {stated['size']}")
            digest, text = _read(info, archive)
            _expect(digest == stated["sha256"], f"{name} is not what its manifest says (sha256)")
            if name == PROVENANCE:
                bundle.jobs = _validated(list[Job], name, parse_json(name, text))
            elif name.endswith((IDENTITY, "/adapter_config.json")):
                bundle.texts[name] = parse_json(name, text)
                _expect(isinstance(bundle.texts[name], dict), f"{name}: is not a mapping")
        while rest := stream.read(CHUNK):  # to the end, so that gzip checks its own checksum
            _expect(not rest.strip(b"\0") and stream.tell() <= limit, "continues after its end")
        _expect(bundle, "is empty")
        if lost := sorted({*bundle.manifest["files"], PROVENANCE} - seen):
            raise ReleaseError(f"lacks {lost[0]}" + (f" and {len(lost) - 1} more" if len(lost) > 1 else ""))
        _set_owners(bundle)
        for job in bundle.jobs:
            _check_job(bundle, job)
    return bundle


def check_name(name: str, run: str) -> None:
    """Raise ReleaseError unless a file of the bundle of a run belongs to the run or the workflow, or is a document."""
    parts = name.split("/")
    _expect(not name.startswith("/") and "\\" not in name and name.isprintable(), f"{name!r} is not a relative path")
    _expect(not any(part == "" or part[0] == "." for part in parts), f"{name!r} leaves its folder or is hidden")
    if parts[0] == "results":
        _expect(len(parts) > 2 and parts[2] != "bundles", f"{name!r} is not a result of a run")
        _expect(parts[1] == run, f"{name} is of another run")
        _expect(name.endswith(ENDINGS), f"{name!r} is of a kind that no rule makes, such as a pickle")
    else:
        _expect(OTHERS.fullmatch(name), f"{name!r} has no place in a bundle")


def _read(info: tarfile.TarInfo, archive: tarfile.TarFile) -> tuple[str, bytes]:
    """Return the sha256 of a file, and the content if it is a text; the content must be what the name says."""
    handle, ending = archive.extractfile(info), PurePosixPath(info.name).suffix
    if ending not in (*MAGIC, ".safetensors"):
        _expect(info.size <= MAX_TEXT, f"{info.name}: has {info.size:,} bytes; a text has at most {MAX_TEXT:,}")
        text = handle.read()
        _expect(_is_text(text), f"{info.name}: is not text, as its name says")
        return hashlib.sha256(text).hexdigest(), text
    start = handle.read(8)
    if ending == ".safetensors":
        start += handle.read(min(int.from_bytes(start, "little"), MAX_TEXT))
        _expect(
            _is_weights(start[8:], info.size - len(start)),
            f"{info.name}: is not safetensors; a pickle may be in their place",
        )
    digest, end = hashlib.sha256(start), start
    for chunk in iter(partial(handle.read, CHUNK), b""):
        digest.update(chunk)
        end = (end + chunk)[-4:]
    magic = MAGIC.get(ending, b"")
    fits = start.startswith(magic) and (ending != ".parquet" or end[-4:] == magic)
    _expect(fits, f"{info.name}: is not of the kind that its name says")
    return digest.hexdigest(), b""


def _is_text(text: bytes) -> bool:
    try:
        return "\0" not in text.decode()
    except UnicodeError:
        return False


def _is_weights(header: bytes, size: int) -> bool:
    """Return whether safetensors have a JSON header and then ``size`` bytes, each tensor where the last one ends."""
    try:
        tensors = json.loads(header).items()
        spans = sorted(tensor["data_offsets"] for name, tensor in tensors if name != "__metadata__")
        ends = [0, *(end for _, end in spans)]
        return [begin for begin, _ in spans] == ends[:-1] and ends[-1] == size
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return False


def parse_json(name: str, text: bytes) -> Any:
    """Return the value of JSON from an untrusted source."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ReleaseError(f"{name}: is not JSON ({error})") from None


def _validated(kind: Any, name: str, value: Any) -> Any:
    try:
        return pydantic.TypeAdapter(kind).validate_python(value)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        words = first["msg"].removeprefix("Value error, ")
        raise ReleaseError(f"{name}: {'.'.join(map(str, first['loc']))!r}: {words}") from None


def _manifest(text: bytes, limit: int) -> Manifest:
    value = parse_json(MANIFEST, text)
    version = value.get("format") if isinstance(value, dict) else None
    _expect(version == FORMAT, f"has format {version!r}; this version reads only format {FORMAT}")
    manifest: Manifest = _validated(Manifest, MANIFEST, value)
    files = manifest["files"]
    _expect(manifest["tier"] in TIERS, f"there is no tier {manifest['tier']!r}")
    _expect(len(files) <= MAX_FILES, f"names more than {MAX_FILES:,} files")
    total = sum(facts["size"] for facts in files.values())
    _expect(total <= limit, f"unpacks to {total:,} bytes, more than {limit:,}; this is a bomb")
    folders = {str(parent) for name in files for parent in PurePosixPath(name).parents}
    alike: dict[str, str] = {}
    for name in files:
        check_name(name, manifest["run"])
        _expect(name not in folders, f"{name} is both a file and a folder")
        other = alike.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        _expect(other == name, f"{name!a} and {other!a} are one file on some file systems")
    return manifest


def _set_owners(bundle: Bundle) -> None:
    """Set the job of each result: one of its outputs, a file inside one, or a companion of its identity."""
    outputs: dict[str, int] = {}
    for number, job in enumerate(bundle.jobs):
        for output in job["outputs"]:
            _expect(output.startswith(f"results/{bundle.run}/"), f"{PROVENANCE}: {output} is not a result of this run")
            check_name(output if output.endswith(ENDINGS) else f"{output}/x.json", bundle.run)
            _expect(outputs.setdefault(output, number) == number, f"{PROVENANCE}: {output} is made by two jobs")
        identity = next((output for output in job["outputs"] if output.endswith(IDENTITY)), None)
        _expect(identity, f"{PROVENANCE}: {job['rule']}: has no identity")
        outputs |= {identity.removesuffix(IDENTITY) + ending: number for ending in COMPANIONS}
    for name in filter(lambda name: name.startswith("results/"), bundle.manifest["files"]):
        places = (name, *map(str, PurePosixPath(name).parents))
        number = next((outputs[path] for path in places if path in outputs), None)
        _expect(number is not None, f"{name} is made by none of the jobs in the bundle's provenance")
        identity = identity_among(bundle.jobs[number]["outputs"])
        _expect(identity in bundle.texts, f"{name} comes without its identity, {identity}")
        bundle.owner[name] = number


def _check_job(bundle: Bundle, job: Job) -> None:
    """Compare a job's identity with the files and with Snakemake's record, as far as the bundle has them."""
    path = identity_among(job["outputs"])
    for name, checksum in job["input_checksums"].items():
        digest = bundle.digest(name)
        _expect(digest is None or checksum == f"sha256:{digest}", f"{path}: was recorded with another {name}")
    if path not in bundle.texts:
        return
    identity = bundle.texts[path]
    for part in ("content", "spec", "code", "environment", "inputs"):
        _expect(isinstance(identity.get(part), dict), f"{path}: is not an identity, since it lacks {part}")
    outputs = {name_in_run(output): output for output in job["outputs"] if output != path}
    inputs = {name_in_run(name): name for name in job["input"]}
    for key, names, digest_of in (("content", outputs, content_in), ("inputs", inputs, input_in)):
        other = sorted(set(identity[key]) ^ set(names))
        _expect(not other, f"{path}: {key}: has other files than its job: {', '.join(other)}")
        for name, digest in identity[key].items():
            found = digest_of(bundle, names[name])
            _expect(found in (None, digest), f"{path}: {key}: {names[name]} has another digest in the bundle")
    stated = sorted(canonical(identity[part]) for part in ("spec", "code", "environment"))  # Snakemake keeps no names
    _expect(stated == sorted(map(unquote, job["params"])), f"{path}: has other params than its job's record")
    folder, spec = path.removesuffix(IDENTITY), identity["spec"]
    settings = bundle.texts.get(f"{folder}/adapter_config.json")
    if settings is not None:
        model = spec.get("model") if isinstance(spec.get("model"), dict) else {}
        trained, name = base_of(model, spec.get("student")), settings.get("base_model_name_or_path")
        _expect(
            {"name": name, "revision": settings.get("revision")} == trained,
            f"{folder}: names {name} at {settings.get('revision')} as its base, but was trained on {trained['name']} "
            f"at {trained['revision']}",
        )


def unquote(text: str) -> str:
    """Return a param from its record, in which Snakemake keeps the ``repr`` of a string."""
    try:
        return str(ast.literal_eval(text))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise ReleaseError(f"{PROVENANCE}: {text[:60]!r} is not a recorded param") from None


def content_in(bundle: Bundle, output: str) -> str | None:
    """Return the digest of an output as in identities, if the bundle has it; see `identity.content_digest`."""
    if (digest := bundle.digest(output)) is not None:
        return digest
    files = sorted(PurePosixPath(name) for name in bundle.inside(output))
    listing = [[str(file.relative_to(output)), bundle.digest(str(file))] for file in files]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest() if files else None


def input_in(bundle: Bundle, path: str) -> str | None:
    """Return the digest of an input as in identities, if the bundle has it; see `identity.input_digest`."""
    if not path.endswith(IDENTITY):
        return content_in(bundle, path)
    if path not in bundle.texts:
        return None
    content = bundle.texts[path].get("content")
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def extract(bundle: Bundle, folder: Path, names: Container[str]) -> None:
    """Write files of a bundle into a folder, and check each again: the archive may have changed in the meantime."""
    with _opened(bundle.path) as archive:
        for info in archive:
            if info.name in names:
                archive.extract(info, folder, set_attrs=False, filter="data")
                same = file_digest(folder / info.name) == bundle.digest(info.name)
                _expect(same, f"{info.name} has changed since it was checked")
