# Needs: `world` in config (the rehearsal). Yields: files in the formats of the published data sets, innocuous inventions
# of the synthetic world (docs/running-the-paper.md). The students and guards are rules/miniature.smk's.

# What a file takes from the world.
WRITTEN = {
    "safechain.parquet": ("harmful", "benign"),
    "directrefusal.parquet": ("harmful",),
    "star-1.json": ("harmful",),
    "star-benign.json": ("benign",),
    "harmbench.json": ("harmbench",),
    "strongreject.csv": ("strongreject",),
    "wildjailbreak.tsv": ("wildjailbreak",),
    "xstest.csv": ("xstest",),
    "aime24.parquet": ("aime24",),
    "gsm8k.jsonl": ("gsm8k",),
    "math500.jsonl": ("math500",),
    "gpqa.csv": ("gpqa",),
}


rule write_rehearsal_data:
    """A file in a published data set's own format, without a row of it (docs/running-the-paper.md)."""
    output:
        rows="<results>/published/{file}",
        identity="<results>/published/{file}.identity.json",
    log:
        "<results>/logs/write_rehearsal_data/{file}.log",
    wildcard_constraints:
        file=one_of(WRITTEN),
    conda:
        "../envs/world.yaml"
    params:
        spec=lambda wildcards: spec(name=wildcards.file, world=rows_of(*WRITTEN[wildcards.file])),
        code=code_of("write_rehearsal_data"),
        environment=environment_of(),
    script:
        "../scripts/miniature/write_rehearsal_data.py"
