# A name for each table, figure, ablation and claim, and for the steps of one's own model (docs/own-model.md).


rule chat:
    """The chat format found in each student's files, before anything is sampled."""
    input:
        [f"<results>/chat/{student}.md" for student in study.selection.students],


rule dataset:
    """The training sets of all methods."""
    input:
        rules.chat.input,
        [paths.set_of(*arm) for arm in study.trained if arm.method in study.sets.with_data],


rule adapter:
    """The adapters of all methods."""
    input:
        rules.dataset.input,
        paths.adapters(study.trained),


rule evaluation:
    """The tables of each family: every adapter on every benchmark."""
    input:
        rules.adapter.input,
        study.targets.family_tables(),


rule tables:
    """Every table that the selection has something for."""
    input:
        [path for path in study.targets.all if "/tables/" in path],


rule figures:
    """Every figure that the selection has something for."""
    input:
        [path for path in study.targets.all if "/figures/" in path],


rule report:
    """The run as one page that opens offline: results/<run>/report/index.html (docs/report.md)."""
    input:
        rules.write_report.output.html,


rule appendix:
    """Facts that reviewers ask for: results/<run>/appendix.md and checklist.md (docs/appendix.md)."""
    input:
        rules.write_appendix.output.appendix,
        rules.write_appendix.output.checklist,


# table1 ... figure13, ablation_steering, judge_study, claim_A01 ...: thinksafe/study/targets.py has the list.
for name, text in study.named_targets().items():

    rule:
        name:
            name
        input:
            study.target(name),

    # Found by its place, as a rule of a module has another name (docs/module.md).
    list(workflow.rules)[-1].docstring = text
