"""Digests of code and config: what changes them, what does not, and that every Python finds the same."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from thinksafe.provenance import digests
from thinksafe.provenance.digests import (
    PLUMBING,
    ROOT,
    canonical,
    code_digests,
    digest_of,
    imported_modules,
    source_digest,
)

PLAIN = '''
import ast
import os

LIMIT = 3

def area(width, height=2):
    """The area."""
    if width > LIMIT:
        return width * height
    return None
'''
RELAID = '''"""A module docstring."""
# a comment

import ast
import os

LIMIT = (3)


def area(
    width,
    height=2,
):
    """Another
    docstring."""
    # why
    if (width > LIMIT): return width*height  # noqa
    return None
'''
# One of each kind of syntax whose tree has changed between Python versions, and letters new in one of their Unicodes.
VARIED = r'''
from __future__ import annotations
import asyncio as aio
from thinksafe.files import x as y

@aio.decorate(1, *(2, 3), **{"a": None})
class Box(dict, metaclass=type):
    "doc"
    size: int = -1
    name: list[str] | None

    async def walk(self, /, a: int, *rest, b=1.5, c=True, **more) -> dict[str, ...]:
        """doc"""
        async for item in self:
            await item
        async with a as b, c:
            yield {**more, "k": [*rest, 1j]}
        return

def run(values, *, low=0, high=None):
    if (found := len(values)) > 1_000 and not low <= found < 0x10:
        raise ValueError(f"{found!r:>{low}} of {values[0]['a']} {{x}} {high=} {found:,.1f}" "tail" f"{low}") from None
    match values:
        case [1, *others] | (2, *others) if others:
            return lambda q, *r: (q, r)
        case {"a": Box(size=3), **kept}:
            return {n: m for n, m in kept.items() if n}
        case None | True | -1:
            return (i async for i in low)
        case str() as text:
            return values[1:2, ::3, ...]
        case _:
            pass
    try:
        del values[0]
    except (ValueError, TypeError) as error:
        global LIMIT
        LIMIT = u"é \U0001fae8 \u2028 \ud800" + 'q"' + b"\x00\xff".decode() + """a
    b"""
    finally:
        assert True, f""
    return low if high else high @ low // 2 ** 3 << 1, 1e400, 10 ** 30, 12345678901234567890
'''
GOLDEN = "effdea4de9359b6d"


def test_comments_docstrings_and_layout_do_not_count():
    assert source_digest(PLAIN) == source_digest(RELAID)
    assert source_digest("def f():\n    'doc'\n    return 1") == source_digest("def f(): return 1")
    assert source_digest("x = 1_000; y = 'a'") == source_digest('x = 1000\n\n\ny = "a"\n')


@pytest.mark.parametrize(
    "old, new",
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ("LIMIT = 3", "LIMIT = 3.0"),
        ("LIMIT = 3", "LIMIT = '3'"),
        ("LIMIT = 3", "LIMIT = -3"),
        ("LIMIT = 3", "LIMIT = True"),
        ("width > LIMIT", "width >= LIMIT"),
        ("width * height", "width + height"),
        ("width * height", "height * width"),
        ("height=2", "height=1"),
        ("height=2", "height"),
        ("height=2", "*, height=2"),
        ("def area", "def size"),
        ("import os", "import os as o"),
        ("return None", "return"),
        ("return None", "return False"),
        ("return None", "pass"),
        ("    return None", "        return None"),
    ],
)
def test_what_the_code_does_counts(old, new):
    assert old in PLAIN
    assert source_digest(PLAIN) != source_digest(PLAIN.replace(old, new))


def test_a_text_that_is_no_docstring_counts():
    assert source_digest("x = 'doc'") != source_digest("x = 'dog'")
    assert source_digest("def f(a='doc'): pass") != source_digest("def f(a='dog'): pass")
    assert source_digest("x = f'{a}b'") != source_digest("x = f'{a}c'") != source_digest("x = f'{a!r}c'")
    assert source_digest("x = b'a'") != source_digest("x = 'a'")


def test_the_digest_of_a_fixed_source_is_known():
    """Holds every Python that runs this test to the one that wrote the constant."""
    assert source_digest(VARIED) == GOLDEN


def _interpreters():
    for version in ("3.10", "3.12", "3.13", "3.14"):
        pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
        found = str(pyenv[-1]) if pyenv else shutil.which(f"python{version}")
        yield pytest.param(found, id=version, marks=[] if found else pytest.mark.skip("this Python is not here"))


@pytest.mark.parametrize("python", _interpreters())
def test_other_pythons_find_the_same(python, tmp_path):
    (tmp_path / "varied.py").write_text(VARIED, encoding="utf-8")
    code = (
        "import sys; from thinksafe.provenance.digests import source_digest, code_digests\n"
        "print(source_digest(open(sys.argv[1], encoding='utf-8').read()))\n"
        "print(sorted(code_digests('scripts/training/train_student.py').items()))"
    )
    done = subprocess.run(
        [python, "-B", "-c", code, tmp_path / "varied.py"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
    )
    if "unknown" in done.stderr or "not found" in done.stderr:
        pytest.skip("this Python is a shim without one behind it")
    assert done.stdout.splitlines() == [
        GOLDEN,
        str(sorted(code_digests("scripts/training/train_student.py").items())),
    ], done.stderr


# -------------------------------------------------------------------------------------------- modules
@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of its own: a.py -> b, c; b -> d; d -> b (a cycle); c -> plumbing -> e."""
    files = {
        "scripts/tables/a": "import json\nfrom thinksafe.one.b import x\ndef f():\n    from thinksafe.two import c\n",
        "thinksafe/one/b": "import thinksafe.two.d as d\n",
        "thinksafe/two/c": "from thinksafe.jobs.start import start\n",
        "thinksafe/two/d": "import thinksafe.one.b\nfrom thinksafe.one import nowhere\n",
        "thinksafe/jobs/start": "import thinksafe.two.e\n",
        "thinksafe/two/e": "x = 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setattr(digests, "ROOT", tmp_path)
    digests._module.cache_clear()
    yield tmp_path
    digests._module.cache_clear()


SCRIPT = "scripts/tables/a.py"


def test_digests_follow_imports_into_functions_and_round_cycles(project):
    assert digests.script_path("a") == SCRIPT
    assert set(code_digests(SCRIPT)) == {"a", "b", "c", "d"}


def test_a_change_far_down_changes_one_digest_and_what_is_unused_changes_none(project):
    before, without = code_digests(SCRIPT), code_digests(SCRIPT, ["thinksafe/one/b.py"])
    assert set(without) == {"a", "c"}
    deep = project / "thinksafe/two/d.py"
    deep.write_text(deep.read_text() + "y = 2\n")
    os.utime(deep, ns=(1, 1))
    after = code_digests(SCRIPT)
    assert {name for name in before if before[name] != after[name]} == {"d"}
    assert code_digests(SCRIPT, ["thinksafe/one/b.py"]) == without


def test_two_modules_of_a_job_may_not_have_one_name(project):
    (project / "thinksafe/one/c.py").write_text("y = 1\n")
    (project / "thinksafe/one/b.py").write_text("from thinksafe.one.c import y\n")
    with pytest.raises(ValueError, match=r"thinksafe/(one|two)/c.py and thinksafe/(one|two)/c.py have the same name"):
        code_digests(SCRIPT)


def test_a_module_that_moves_makes_nothing_stale(tmp_path, monkeypatch):
    """Each module of the library in turn goes to another folder of a copy, and its importers are sorted anew."""
    for folder in ("thinksafe", "scripts"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(digests, "ROOT", tmp_path)
    scripts = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("scripts/*/*.py"))

    def found():
        digests._module.cache_clear()
        return {script: code_digests(script) for script in scripts}

    before = found()
    files = [*tmp_path.glob("thinksafe/*/*.py"), tmp_path / "thinksafe/files.py"]
    files = [file for file in files if file.parent.name != "study"]  # no script imports it, so that a name may be twice
    moved = [file for file in files if any(file.stem in modules for modules in before.values())]
    assert len(moved) > 40
    (tmp_path / "thinksafe/attic").mkdir()
    importers = [path for folder in ("thinksafe", "scripts") for path in (tmp_path / folder).rglob("*.py")]
    for file in moved:
        if file.relative_to(tmp_path).as_posix() in PLUMBING:
            continue  # known by its path
        old = file.relative_to(tmp_path).with_suffix("").as_posix().replace("/", ".")
        new = f"thinksafe.attic.{file.stem}"
        file.rename(tmp_path / f"{new.replace('.', '/')}.py")
        for path in [p if p.exists() else tmp_path / "thinksafe/attic" / p.name for p in importers]:
            text = path.read_text(encoding="utf-8")
            package, _, name = old.rpartition(".")
            changed = re.sub(rf"\b{re.escape(old)}\b", new, text)
            changed = re.sub(
                rf"from {re.escape(package)} import {name}\b", f"from thinksafe.attic import {name}", changed
            )
            if changed != text:
                path.write_text(changed, encoding="utf-8")
    subprocess.run([sys.executable, "-m", "ruff", "check", "--fix", "--select", "I", "-q", str(tmp_path)], check=True)
    assert found() == before
    digests._module.cache_clear()


def test_this_projects_own_scripts():
    script = "scripts/generation/sample_responses.py"
    found = code_digests(script)
    assert {"sample_responses", "sampling", "chat", "vllm_engine"} <= set(found)
    assert not {"run", "identity", "sft"} & set(found)
    assert all((ROOT / path).is_file() for path in PLUMBING)
    assert "vllm_engine" not in code_digests(script, ["thinksafe/inference/vllm_engine.py"])


def test_names_are_unique_within_every_job():
    """Of all the modules that a script may run, whatever config names: `code_digests` refuses two of one name."""
    folder = ROOT / "thinksafe/training/losses"
    losses = [path.relative_to(ROOT).as_posix() for path in folder.glob("[a-z]*.py")]
    for script in (ROOT / "scripts").glob("*/*.py"):
        assert code_digests(script.relative_to(ROOT).as_posix(), used=losses)


def test_imported_modules_are_those_of_the_project():
    text = (
        "import os, thinksafe.files\nfrom thinksafe.models import chat, nothing\nfrom thinksafe.seeds import seed_for\n"
    )
    assert imported_modules(ast.parse(text)) == {"thinksafe/files.py", "thinksafe/models/chat.py", "thinksafe/seeds.py"}


def test_an_import_is_seen_wherever_it_may_stand():
    """In every kind of block that Python has."""
    text = """
class A:
    async def f(self):
        try:
            with open("x"):
                import thinksafe.files
        except ValueError:
            for _ in ():
                import thinksafe.models.chat
            else:
                import thinksafe.seeds
        else:
            while True:
                if 0:
                    pass
                elif 1:
                    import thinksafe.analysis.scores
        finally:
            match 1:
                case 1:
                    async with self:
                        import thinksafe.reporting.tables
"""
    names = ("files", "models/chat", "seeds", "analysis/scores", "reporting/tables")
    assert imported_modules(ast.parse(text)) == {f"thinksafe/{name}.py" for name in names}


# -------------------------------------------------------------------------------------------- values
def test_canonical_ignores_the_order_of_keys_only():
    assert canonical({"a": 1, "b": {"c": [1, 2], "d": 2}}) == canonical({"b": {"d": 2, "c": [1, 2]}, "a": 1})
    assert canonical([1, 2]) != canonical([2, 1])
    assert canonical({"a": 1, "b": 2}) != canonical({"a": 2, "b": 1})
    assert canonical({"prompt": "é\u2028"}) == '{"prompt":"é\u2028"}'


def test_values_of_other_types_are_other_values():
    values = [1, 1.0, "1", True, "true", None, "null", "", [], {}, 0, False, [1], {"1": 1}]
    assert len({canonical(value) for value in values}) == len({digest_of(value) for value in values}) == len(values)
