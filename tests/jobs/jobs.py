"""A project with one script, and jobs of it, for tests of how jobs run."""

import json
import os
import subprocess
import sys

SCRIPT = '''
import os
from pathlib import Path

def {name}(text, output, key, progress):
    """Write a text and what the job was offered."""
    print("to the log")
    os.write(1, b"and this\\n")
    if text == "fail":
        raise ValueError("no such text")
    if text == "exit":
        raise SystemExit("enough")
    if text == "wait":
        import time
        for done in range(3000):
            progress(done, 3000)
            if done == 5:
                Path(output + ".begun").touch()
            time.sleep(0.02)
    if text == "journal":
        from thinksafe.jobs.journal import Journal
        with Journal(output, key, 1) as journal:
            if not journal.rows:
                journal.append([os.getpid()])
            text = str(journal.rows[0])
    import torch
    numbers = torch.nn.functional.gelu(torch.arange(9.0)).tolist()
    Path(output).write_text(f"{{text}} {{key}} {{torch.get_num_threads()}} {{numbers}}")
'''


def job(folder, text):
    folder.mkdir(exist_ok=True)
    return {
        "function": "testing",
        "arguments": {"text": text, "output": str(folder / "out")},
        "log": str(folder / "log"),
        "title": "test",
        "threads": 1,
        "devices": 1,
        "gpus": 0,
        "params": {"spec": '{"a": 1}', "code": "{}", "environment": '{"torch": "0"}'},
        "inputs": ["in.txt"],
        "outputs": [str(folder / "out")],
        "identity": str(folder / "out.identity.json"),
        "driver": 0,
    }


def environment(project):
    return os.environ | {"PYTHONPATH": str(project), "THINKSAFE_ANY_VERSION": "1", "OMP_NUM_THREADS": "1"}


def plain(project, described):
    code = "import json, sys; from thinksafe.jobs.run import run; sys.exit(run(json.loads(sys.argv[1])))"
    command = [sys.executable, "-c", code, json.dumps(described)]
    return subprocess.run(command, cwd=project, env=environment(project), capture_output=True, text=True)
