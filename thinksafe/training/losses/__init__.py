"""What a method is trained to do: one module per loss, named as in config (`methods.*.loss`).

A module exports `Loss`, a subclass of `thinksafe.training.losses.base.Supervised`: how a row becomes supervised tokens
(`example`), what the loss of a micro-batch is (`objective`), and whatever else is learnt beside the adapter. It is
found by its name, so a new loss is a new file here and its settings in config's schema; nothing else names it. Only
the chosen module counts for an adapter's staleness (`code_of` in rules/common.smk).
"""
