"""The floors of docs/README.md hold: every import is walked, those inside functions included."""

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# From the ground: a module may import its own floor and those below, never one above.
FLOORS = (
    ("errors", "files", "intervals", "layout", "seeds", "suggest"),
    ("config", "provenance"),
    ("jobs", "hub"),
    ("models",),
    ("inference", "data", "reporting"),
    ("generation", "training", "analysis", "miniature"),
    ("evaluation", "study"),
    ("planning", "scripts", "rules"),
    ("release",),
    ("__main__",),
)
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
PACKAGES = ("thinksafe", "scripts", "dev", "tests")
# The one place outside the miniature that knows its world: it hands the truth to the function that judges.
ORACLE = ("scripts.generation.judge_responses", "thinksafe.miniature.oracle")


def modules(root: Path) -> dict[str, Path]:
    """Return every module of the library and of the scripts, by its dotted name."""
    files = [path for package in ("thinksafe", "scripts") for path in (root / package).rglob("*.py")]
    return {".".join(path.relative_to(root).with_suffix("").parts): path for path in files}


def imported(tree: ast.AST, known: dict[str, Path]) -> Iterator[str]:
    """Yield the name of each project module that is imported anywhere in a source."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [[alias.name] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"line {node.lineno}: an import names its module in full"
            names = [[f"{node.module}.{alias.name}", node.module] for alias in node.names]
        else:
            continue
        for choices in names:
            if choices[0].split(".")[0] in PACKAGES:
                yield next((name for name in choices if name in known), choices[-1])


def imports(root: Path) -> dict[str, set[str]]:
    """Return what each module imports, rules and the Snakefile included."""
    known = modules(root)
    found = {name: set(imported(ast.parse(path.read_text(encoding="utf-8")), known)) for name, path in known.items()}
    for path in [root / "Snakefile", *(root / "rules").glob("*.smk")]:
        lines = re.findall(r"^\s*(?:from|import) \w.*$", path.read_text(encoding="utf-8"), re.M)
        found[f"rules.{path.stem}"] = {name for line in lines for name in imported(ast.parse(line.strip()), known)}
    return found


def place(module: str) -> str:
    """Return the folder of a module, or the module on the ground floor, that has a floor."""
    package, *rest = module.split(".")
    return rest[0] if package == "thinksafe" and rest else package


def to_a_higher_floor(found: dict[str, set[str]]) -> list[str]:
    """Return each import of a module on a higher floor, or of one that has none."""
    top = len(FLOORS)
    return [
        f"{name} imports {other}"
        for name, others in sorted(found.items())
        for other in sorted(others)
        if FLOOR.get(place(other), top) > FLOOR.get(place(name), -1)
    ]


def circle(found: dict[str, set[str]]) -> list[str]:
    """Return the modules of one circle of imports, or none."""
    try:
        TopologicalSorter(found).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def from_scripts(found: dict[str, set[str]]) -> list[str]:
    """Return each import of a script, and each, direct or not, by a script of what a script must not know."""
    hidden = ("study", "planning", "release", "__main__")
    direct = [(name, other) for name, others in found.items() for other in others if place(other) == "scripts"]
    reached = [(name, other) for name in found if place(name) == "scripts" for other in closure(found, name)]
    wrong = {*direct, *(pair for pair in reached if place(pair[1]) in hidden)}
    return [f"{name} imports {other}" for name, other in sorted(wrong)]


def closure(found: dict[str, set[str]], name: str) -> set[str]:
    """Return all modules that a module imports, directly or through others."""
    reached, left = set(), [name]
    while left:
        new = found.get(left.pop(), set()) - reached
        reached |= new
        left += new
    return reached


def of_the_miniature(found: dict[str, set[str]]) -> list[str]:
    """Return each import of the miniature's world by a module that is not the miniature's, but for `ORACLE`."""
    own = ("thinksafe.miniature.", "scripts.miniature.")
    return [
        f"{name} imports {other}"
        for name, others in sorted(found.items())
        for other in sorted(others)
        if place(other) == "miniature" and not name.startswith(own) and (name, other) != ORACLE
    ]


IMPORTS = imports(ROOT)


def test_every_module_has_a_floor():
    assert {place(name) for name in IMPORTS} - {"__init__"} == set(FLOOR)


def test_no_module_imports_from_a_higher_floor():
    assert to_a_higher_floor(IMPORTS) == []


def test_there_is_no_circle():
    assert circle(IMPORTS) == []


def test_nobody_imports_a_script_and_no_script_the_study():
    assert from_scripts(IMPORTS) == []


def test_only_the_miniature_knows_the_world():
    assert of_the_miniature(IMPORTS) == []
    assert ORACLE[1] in IMPORTS[ORACLE[0]]


def test_init_files_are_empty():
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("__init__.py")]
    assert [path for path in files if path.read_text(encoding="utf-8").strip()] == []


def test_no_file_edits_the_path():
    files = [path for package in ("thinksafe", "scripts", "dev") for path in (ROOT / package).rglob("*.py")]
    files += [*(ROOT / "rules").glob("*.smk"), ROOT / "Snakefile"]
    assert [path for path in files if "sys.path" in path.read_text(encoding="utf-8")] == []


# ---------------------------------------------------------------- the checks find what they look for
@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Return a small project that keeps all the rules."""
    files = {
        "thinksafe/files.py": "import json\n",
        "thinksafe/models/chat.py": "from thinksafe.files import x\n",
        "thinksafe/training/sft.py": "from thinksafe.models import chat\n",
        "thinksafe/miniature/world.py": "import thinksafe.files\n",
        "thinksafe/evaluation/safety.py": "",
        "thinksafe/study/study.py": "",
        "scripts/evaluation/score_safety.py": "from thinksafe.evaluation import safety\n",
        "scripts/training/train_student.py": "from thinksafe.training.sft import train\n",
        "Snakefile": "from thinksafe.study.study import Study\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


CHECKS = (to_a_higher_floor, circle, from_scripts, of_the_miniature)


@pytest.mark.parametrize(
    ("file", "text", "check"),
    [
        ("thinksafe/files.py", "def f():\n    from thinksafe.models.chat import x\n", to_a_higher_floor),
        ("thinksafe/files.py", "import thinksafe.models.chat as chat\n", to_a_higher_floor),
        ("thinksafe/models/chat.py", "if 0:\n    from thinksafe.training import sft\n", to_a_higher_floor),
        ("thinksafe/attic/old.py", "from thinksafe.files import x\n", to_a_higher_floor),
        ("thinksafe/training/log.py", "import tests.tiny\n", to_a_higher_floor),
        ("rules/data.smk", "from thinksafe.release.bundle import x\n", to_a_higher_floor),
        ("thinksafe/models/chat.py", "from thinksafe.models.folder import x\n", circle),
        ("scripts/training/train_grpo.py", "from scripts.training.train_student import train\n", from_scripts),
        ("scripts/training/train_grpo.py", "def f():\n    import thinksafe.study.study\n", from_scripts),
        ("thinksafe/evaluation/safety.py", "from thinksafe.study.study import Study\n", from_scripts),
        ("scripts/training/train_grpo.py", "from thinksafe.miniature import world\n", of_the_miniature),
        ("thinksafe/training/sft.py", "from thinksafe.miniature.world import x\n", of_the_miniature),
        ("Snakefile", "    from thinksafe.miniature.world import x\n", of_the_miniature),
    ],
)
def test_each_violation_is_found(house, file, text, check):
    (house / "thinksafe/models/folder.py").write_text("from thinksafe.models import chat\n")
    assert [check(imports(house)) for check in CHECKS] == [[], [], [], []]
    (house / file).parent.mkdir(parents=True, exist_ok=True)
    (house / file).write_text(text)
    assert check(imports(house))
