"""Engines by their name in config."""

import pytest

from thinksafe.inference.engines import load_engine


def test_another_name_is_an_error():
    with pytest.raises(ValueError, match="choose transformers or vllm"):
        load_engine("other", "folder", dtype="float32", batch_size=1, max_model_tokens=9)
