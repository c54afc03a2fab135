# A name for each claim and for each table, figure and page in rules/targets.yaml, such as `snakemake figure12`.

for name, text in study.named_targets().items():

    rule:
        name:
            name
        input:
            study.target(name),

    # Found by its place, as a rule of a module has another name (docs/module.md).
    list(workflow.rules)[-1].docstring = text
