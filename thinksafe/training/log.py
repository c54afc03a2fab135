"""The log of a training run: JSON lines and TensorBoard events beside the adapter.

``<adapter>.training.jsonl`` holds one line of facts per attempt and one per logged step; ``<adapter>.tensorboard/`` the
same numbers. Neither is an output of the rule: times differ from run to run and must not count for the adapter's
identity, and the log of a stopped job is kept. Weights & Biases gets them too if WANDB_PROJECT names a project.
"""

import json
import time
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter
from transformers import TrainerCallback

from thinksafe.files import Row


class Log(TrainerCallback):
    """Writes the log of the adapter in ``output``; ``facts`` begin every attempt."""

    def __init__(self, output: str | Path, facts: Row) -> None:
        output = Path(output)
        self.lines, self.events = (output.with_name(output.name + end) for end in (".training.jsonl", ".tensorboard"))
        self.facts, self.writer = facts, None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if not state.is_world_process_zero:
            return
        kept = _lines_until(self.lines, state.global_step)
        self.lines.parent.mkdir(parents=True, exist_ok=True)
        self.lines.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
        start = {"attempt": sum("attempt" in line for line in kept) + 1, "from_step": state.global_step}
        self._write(start | {"steps": state.max_steps, "processes": args.world_size} | self.facts)
        if not state.global_step:
            for old in self.events.glob("events.*"):
                old.unlink()
        self.writer = SummaryWriter(str(self.events), purge_step=state.global_step or None)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **kwargs: Any) -> None:
        if self.writer is None:
            return
        self._write({"step": state.global_step} | logs)
        for name, value in logs.items():
            self.writer.add_scalar(f"train/{name}", value, state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.writer is not None:
            self.writer.close()

    def _write(self, row: Row) -> None:
        with self.lines.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row | {"time": round(time.time(), 3)}) + "\n")


def _lines_until(path: Path, step: int) -> list[Row]:
    """Return the lines of a log up to ``step``, from which training continues; none where it begins."""
    if not step or not path.exists():
        return []
    found = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            line = json.loads(text)
        except ValueError:  # the job died while it wrote
            continue
        if line.get("step", line.get("from_step", 0)) <= step:
            found.append(line)
    return found
