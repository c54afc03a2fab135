# A name for each step of one's own model, table, figure, ablation and claim, such as `snakemake figure12` or
# `snakemake claim_A01`; rules/targets.yaml has the list.

for name, text in study.named_targets().items():

    rule:
        name:
            name
        input:
            study.target(name),

    # Found by its place, as a rule of a module has another name (docs/module.md).
    list(workflow.rules)[-1].docstring = text
