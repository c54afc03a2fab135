# Needs: the hub, a login where something is gated. Yields: config/hub.lock.yaml and the hub's cache. Rules of the login
# node, asked for by name; they make no artifact, and their work is nobody's input (docs/running-the-paper.md).


def fetch_spec():
    """Return what the selection takes from elsewhere."""
    return spec(sources=remote_sources(used(ASKED)), lock=config["hub"]["lock"])


rule lock_hub:
    """Write the commit of every model and data set of the config that the lock lacks."""
    log:
        "<results>/logs/lock_hub.log",
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        spec=spec(sources=remote_sources(ASKED), lock=config["hub"]["lock"], accept=config["hub"]["accept"]),
    script:
        "../scripts/hub/lock_hub.py"


rule check_hub:
    """Say how much there is to download, and what would stop it."""
    log:
        "<results>/logs/check_hub.log",
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        spec=fetch_spec(),
    script:
        "../scripts/hub/check_hub.py"


rule fetch:
    """Download and verify what the selection takes from the hub."""
    log:
        "<results>/logs/fetch.log",
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        spec=fetch_spec(),
    script:
        "../scripts/hub/fetch.py"
