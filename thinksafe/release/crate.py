"""``ro-crate-metadata.json``: a bundle described as an RO-Crate, with the profiles for workflow runs.

`rocrate` writes it; all dates are the run's, so that the same run gives the same bytes.
"""

import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from thinksafe.release.archive import json_bytes, scope_of

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
    files : size and digest of each file, by name
    times : start of the first job and end of the last one, in seconds since 1970
    version : of the workflow
    """
    from rocrate.model.contextentity import ContextEntity
    from rocrate.rocrate import ROCrate

    began, ended = (datetime.fromtimestamp(int(time), UTC).isoformat() for time in times)
    crate = ROCrate(version="1.1")
    root = crate.root_dataset
    crate.name = f"ThinkSafe-Flow: {manifest['run']}"
    crate.description = (
        f"Results of the run {manifest['run']}, {scope_of(manifest)}. Restored by `thinksafe restore`; bundle.json has "
        "size and digest of every file."
    )
    crate.datePublished = ended
    about = {"@type": "CreativeWork"}
    crate.license = crate.add(ContextEntity(crate, LICENCE, about | {"name": "Apache-2.0"}))
    crate.license["description"] = "The workflow's. Models and data sets have their own: LICENCES.md"
    root["conformsTo"] = [
        crate.add(ContextEntity(crate, address, about | {"name": name, "version": address.rpartition("/")[2]}))
        for address, name in PROFILES.items()
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about files that are not in a folder here
        workflow = crate.add_workflow(
            dest_path=MAIN,
            main=True,
            lang="snakemake",
            lang_version=manifest["snakemake"],
            properties={"name": "ThinkSafe-Flow", "version": version, "license": {"@id": LICENCE}},
        )
        workflow["sha256"], workflow["contentSize"] = files[MAIN]["sha256"], str(files[MAIN]["size"])
        added = {
            name: crate.add_file(dest_path=name, properties=_properties(name, facts))
            for name, facts in files.items()
            if name != MAIN
        }
    action = crate.add_action(
        workflow,
        identifier="#run",
        object=crate.get("config.json"),
        result=[added[name] for name in added if name.startswith("results/")],
        properties={
            "@type": "CreateAction",
            "name": f"the run {manifest['run']}",
            "description": "All that Snakemake made; provenance.json has each job.",
            "startTime": began,
            "endTime": ended,
            "actionStatus": "http://schema.org/CompletedActionStatus",
        },
    )
    root["mentions"] = action
    crate.get("README.md")["about"] = root
    found = crate.metadata.generate()
    # rocrate keeps entities in sets, whose order changes.
    return json_bytes(found | {"@graph": sorted(found["@graph"], key=lambda entity: entity["@id"])})


def _properties(name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    found = {"name": name, "contentSize": str(facts["size"]), "sha256": facts["sha256"]}
    if kind := KINDS.get(PurePosixPath(name).suffix):
        found["encodingFormat"] = kind
    return found
