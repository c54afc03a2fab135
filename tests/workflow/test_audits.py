"""Audits through the workflow itself: each further guard's verdicts are taken for its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.workflow.dags import ROOT
from thinksafe.files import read_json, write_rows

ANSWER = {"id": str, "draw": int, "response": str, "finish_reason": str}
VERDICT = {"id": str, "draw": int, "harm": str, "refusal": str, "truncated": bool}
CELL = "qwen3-mini/trained-with/initial/replicate-0/on/harmbench"
SHARES = {"llama-guard-3": 1, "wildguard": 2, "oracle": 3}  # of four responses, how many each guard calls unsafe


def test_each_audit_is_its_own_in_any_order(tmp_path: Path) -> None:
    (tmp_path / "config").symlink_to(ROOT / "config")
    run = tmp_path / "results/audited"
    keys = [{"id": f"p{place}", "draw": 0} for place in range(4)]
    for part in (0, 1):
        mine = slice(2 * part, 2 * part + 2)
        answers = [key | {"response": "<think>\nR\n</think>\n\nA", "finish_reason": "stop"} for key in keys[mine]]
        write_rows(run / f"answers/{CELL}/part-{part}.parquet", answers, ANSWER)
        for guard, count in SHARES.items():
            said = ["unsafe" if place < count else "safe" for place in range(4)]
            rows = [key | {"harm": harm, "truncated": False} for key, harm in zip(keys, said, strict=True)]
            write_rows(run / f"verdicts/by-{guard}/on-answers/{CELL}/part-{part}.parquet", rows[mine], VERDICT)
    overlay = {"run": "audited", "audit": ["wildguard", "oracle"], "shards": {"safety": 2}}
    (tmp_path / "overlay.json").write_text(json.dumps(overlay))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", f"results/audited/scores/safety/{CELL}.json"),
            *("--snakefile", str(ROOT / "Snakefile"), "--cores", "1", "--allowed-rules", "score_safety"),
            *("--configfile", "config/miniature.yaml", "overlay.json"),
        ],
        cwd=tmp_path,
        env=os.environ | {"THINKSAFE_WARM": "off"},
        capture_output=True,
        text=True,
    )
    assert not done.returncode, done.stdout[-2000:] + done.stderr[-4000:]
    score = read_json(run / f"scores/safety/{CELL}.json")
    found = {"llama-guard-3": score["count"]} | {guard: audit["count"] for guard, audit in score["audits"].items()}
    assert found == SHARES
