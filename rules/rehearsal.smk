# Needs: `world` in config (the rehearsal). Yields: files in the formats of the published data sets, innocuous inventions
# of the synthetic world (docs/running-the-paper.md). The students and guards are rules/miniature.smk's.


rule write_rehearsal_data:
    """A file in the format of a published data set, with none of its rows (docs/running-the-paper.md)."""
    output:
        rows="<results>/published/{file}",
        identity="<results>/published/{file}.identity.json",
    log:
        "<results>/logs/write_rehearsal_data/{file}.log",
    wildcard_constraints:
        file=one_of(REHEARSAL),
    conda:
        "../envs/world.yaml"
    script:
        "../scripts/miniature/write_rehearsal_data.py"
