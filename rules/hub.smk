# Needs: the hub, and a login for gated repositories. Yields: config/hub.lock.yaml and the hub's cache. These rules run on
# the login node and only when named; they make no artifact, and no rule takes their work as input
# (docs/running-the-paper.md).


rule lock_hub:
    """Write the commit of every model and data set of the config that the lock lacks."""
    log:
        "<results>/logs/lock_hub.log",
    localrule: True
    conda:
        "../envs/data.yaml"
    script:
        "../scripts/hub/lock_hub.py"


rule check_hub:
    """Report how much there is to download, and what would prevent it."""
    log:
        "<results>/logs/check_hub.log",
    localrule: True
    conda:
        "../envs/data.yaml"
    script:
        "../scripts/hub/check_hub.py"


rule fetch:
    """Download and verify what the selection takes from the hub."""
    log:
        "<results>/logs/fetch.log",
    localrule: True
    conda:
        "../envs/data.yaml"
    script:
        "../scripts/hub/fetch.py"
