"""Snakemake's private records; tests/workflow/test_round_trip.py packs and places them."""

import pytest

from thinksafe.release import snakemake_records
from thinksafe.release.archive import ReleaseError


def test_the_form_of_records_is_the_one_that_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Snakemake's private form, for the locked version: look at `snakemake_records.place` before this is changed."""
    import snakemake.persistence as theirs

    assert theirs.RECORD_FORMAT_VERSION == snakemake_records.RECORD_FORMAT == 6
    assert set(theirs.MetadataRecord().model_dump()) == {
        *("rule", "input", "log", "shellcmd", "params", "code", "record_format_version", "conda_env"),
        *("container_img_url", "software_stack_hash", "job_hash", "starttime", "endtime", "incomplete"),
        *("external_jobid", "input_checksums"),
    }
    monkeypatch.setattr(theirs, "RECORD_FORMAT_VERSION", 7)
    with pytest.raises(ReleaseError, match="keeps its records in format 7, but bundles need format 6"):
        snakemake_records.check_format()
