"""A run with one cell and all behind it, as its files: what traces and lineages are tried on."""

import json
from pathlib import Path

from thinksafe.files import write_json, write_rows
from thinksafe.provenance.identity import write_identity

COMMIT = "c1899de289a04d12100db370d81485cdf75e47ca"
STUDENT, METHOD = "small", "thinksafe"
RAW = f"{STUDENT}/steered-by/prefix/draws-1/replicate-0/harmful/part-"
ON = f"{STUDENT}/trained-with/{METHOD}/replicate-0/on/harmbench"
ADAPTER = f"adapters/{STUDENT}/trained-with/{METHOD}/replicate-0"
SAID = {"id": str, "draw": int, "prompt": str, "asked": str, "response": str}
HARM = {"id": str, "draw": int, "harm": str, "output": str}


def made(name, inputs=(), spec=None, outputs=None, code=("score_safety",)):
    """Write the identity of files that a job has made, as `thinksafe.jobs.run` does."""
    base = "results/trial/"
    params = {"spec": spec or {}, "code": {module: "00" for module in code}, "environment": {"numpy": "2.4.6"}}
    stem = name.removesuffix(".parquet").removesuffix(".json").removesuffix(".csv").removesuffix(".png")
    write_identity(
        {
            "identity": f"{base}{stem}.identity.json",
            "outputs": [base + output for output in outputs or [name]],
            "inputs": [path if path.startswith("config/") else base + path for path in inputs],
            "params": {key: json.dumps(value) for key, value in params.items()},
        }
    )


def answers(part, ids):
    return [{"id": i, "draw": 0, "prompt": f"do {i}", "asked": f"do {i}", "response": f"<think>no {i}"} for i in ids]


def write_run():
    base = "results/trial/"
    write_json("config/guard.txt", "is it safe?")
    ids = [["harmful-000000", "harmful-000001"], ["harmful-000002"]]
    asked_for = [{"id": i, "prompt": f"do {i}"} for part in ids for i in part]
    write_rows(base + "prompts/harmful.parquet", asked_for, {"id": str, "prompt": str})
    made("prompts/harmful.parquet", spec={"source": {"hub": "org/prompts", "revision": COMMIT}})
    raw, judged = [], []
    for part, names in enumerate(ids):
        raw.append(f"responses/{RAW}{part}.parquet")
        judged.append(f"verdicts/by-guard/on-responses/{RAW}{part}.parquet")
        write_rows(base + raw[-1], answers(part, names), SAID)
        made(raw[-1], ["prompts/harmful.parquet"], {"steering": "Refuse.\n\n{prompt}"})
        verdicts = [{"id": i, "draw": 0, "harm": "unsafe" if i.endswith("1") else "safe", "output": i} for i in names]
        write_rows(base + judged[-1], verdicts, HARM)
        made(judged[-1], [raw[-1], "config/guard.txt"])
    dataset = f"datasets/{STUDENT}/for/{METHOD}/replicate-0.parquet"
    write_rows(base + dataset, [asked_for[0] | {"response": "no"}], {"id": str, "prompt": str, "response": str})
    write_json(base + dataset.replace(".parquet", ".statistics.json"), {"kept": 1})
    made(dataset, [*raw, *judged], outputs=[dataset, dataset.replace(".parquet", ".statistics.json")])
    write_json(f"{base}{ADAPTER}/weights.json", [1.0])
    made(ADAPTER, [dataset], {"training": {"rank": 32}}, code=["train_student"])
    Path(base, ADAPTER, ".snakemake_timestamp").touch()  # which Snakemake leaves after the job
    write_rows(base + f"answers/{ON}/part-0.parquet", answers(0, ["harmbench-00000", "harmbench-00001"]), SAID)
    made(f"answers/{ON}/part-0.parquet", [f"{ADAPTER}.identity.json"])
    score = f"scores/safety/{ON}"
    write_json(f"{base}{score}.json", {"value": 1.0})
    write_rows(f"{base}{score}.parquet", [{"id": "harmbench-00000", "outcome": True}], {"id": str, "outcome": bool})
    made(f"{score}.json", [f"answers/{ON}/part-0.parquet"], outputs=[f"{score}.json", f"{score}.parquet"])
    other = "scores/safety/small/trained-with/initial/replicate-0/on/harmbench"
    write_json(f"{base}{other}.json", {"value": 2.0})
    made(f"{other}.json")
    table = f"student,method,metric,value\n{STUDENT},{METHOD},safety_avg,1\n{STUDENT},initial,safety_avg,2\n"
    Path(base, "tables").mkdir()
    Path(base, "tables/table1.csv").write_text(table)
    made("tables/table1.csv", [f"{score}.json", f"{other}.json"])
    write_json(base + "figures/figure1.png", 1)
    made("figures/figure1.png", ["tables/table1.csv"])
    Path(base, "logs").mkdir()
    Path(base, "logs/x.log").touch()
