"""Negative log-likelihood of the whole response (paper Eq. 2), averaged over the supervised tokens of a step."""

from thinksafe.training.losses.base import Supervised


class Loss(Supervised):
    """Reasoning, answer and end of turn are learnt; the prompt, as the user wrote it, is not."""
