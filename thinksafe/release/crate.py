"""A bundle described as an RO-Crate, by the profiles for runs of a workflow: ``ro-crate-metadata.json``.

Written by `rocrate`; every date in it is the run's own, so that the same run is described by the same bytes.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from thinksafe.release.archive import json_bytes, reach

PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
KINDS = {
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".csv": "text/csv",
    ".md": "text/markdown",
    ".png": "image/png",
    ".pdf": "application/pdf",
    ".parquet": "application/vnd.apache.parquet",
    ".txt": "text/plain",
    ".tex": "application/x-tex",
    ".yaml": "application/yaml",
    ".cff": "application/yaml",
    ".jinja": "text/plain",
    ".sh": "application/x-sh",
    ".safetensors": "application/octet-stream",
}
LICENCE = "https://spdx.org/licenses/Apache-2.0"
MAIN = "workflow/Snakefile"


def describe(
    manifest: Mapping[str, Any], files: Mapping[str, Mapping[str, Any]], times: tuple[float, float], version: str
) -> bytes:
    """Return the description of a bundle.

    Parameters
    ----------
    manifest : what the bundle's own manifest says of run, tier, target and Snakemake
    files : size and digest of each of its files, by name
    times : when the first of its jobs began and the last one ended, in seconds since 1970
    version : of the workflow
    """
    from rocrate.model.contextentity import ContextEntity
    from rocrate.rocrate import ROCrate

    began, ended = (datetime.fromtimestamp(int(time), UTC).isoformat() for time in times)
    crate = ROCrate(version="1.1")
    root = crate.root_dataset
    crate.name = f"ThinkSafe-Flow: {manifest['run']}"
    crate.description = (
        f"Results of the run {manifest['run']} (target {manifest['target']}), {reach(manifest['tier'])}"
        + (", without prompts and responses" if manifest["public"] else "")
        + ". Restored by `thinksafe restore`; bundle.json has size and digest of every file."
    )
    crate.datePublished = ended
    crate.license = crate.add(ContextEntity(crate, LICENCE, {"@type": "CreativeWork", "name": "Apache-2.0"}))
    crate.license["description"] = "The workflow's. Models and data sets have their own: LICENCES.md"
    root["conformsTo"] = [
        crate.add(
            ContextEntity(
                crate, profile, {"@type": "CreativeWork", "name": name, "version": profile.rpartition("/")[2]}
            )
        )
        for profile, name in PROFILES.items()
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the files are described here, and packed elsewhere
        workflow = crate.add_workflow(
            dest_path=MAIN,
            main=True,
            lang="snakemake",
            lang_version=manifest["snakemake"],
            properties={"name": "ThinkSafe-Flow", "version": version, "license": {"@id": LICENCE}},
        )
        results = []
        for name, facts in files.items():
            if name == MAIN:
                workflow["sha256"], workflow["contentSize"] = facts["sha256"], str(facts["size"])
                continue
            found = crate.add_file(dest_path=name, properties=_properties(name, facts))
            if name.startswith("results/"):
                results.append(found)
    action = crate.add_action(
        workflow,
        identifier="#run",
        object=crate.get("config.json"),
        result=results,
        properties={
            "@type": "CreateAction",
            "name": f"the run {manifest['run']}",
            "description": "What Snakemake made, from the first job to the last; provenance.json tells of each.",
            "startTime": began,
            "endTime": ended,
            "actionStatus": "http://schema.org/CompletedActionStatus",
        },
    )
    root["mentions"] = action
    crate.get("README.md")["about"] = root
    return json_bytes(_sorted(crate.metadata.generate()))


def _properties(name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    found = {"name": name, "contentSize": str(facts["size"]), "sha256": facts["sha256"]}
    if kind := KINDS.get(PurePosixPath(name).suffix):
        found["encodingFormat"] = kind
    return found


def _sorted(crate: dict[str, Any]) -> dict[str, Any]:
    """Return a crate with its entities in the order of their names, as `rocrate` keeps them in that of sets."""
    return crate | {"@graph": sorted(crate["@graph"], key=lambda entity: entity["@id"])}
