# What every rule uses: the study (thinksafe/study), and what happens when a run starts.

from thinksafe import layout
from thinksafe.analysis.claims import ClaimError
from thinksafe.errors import UserError
from thinksafe.hub.lock import read_lock, unpinned
from thinksafe.jobs import driver
from thinksafe.provenance.digests import ROOT
from thinksafe.study.miniature import COUNTERPARTS, REHEARSAL
from thinksafe.study.paper import AVERAGES, COMPANIONS, DIRECT, GAINS, LENGTHS, SCORES, STEERED, VIEWS
from thinksafe.study.selection import Arm, Cell
from thinksafe.study.stages import RULES
from thinksafe.study.study import Study, one_of

try:
    study = Study(typed, settings.read(ROOT / "config/claims.yaml"), read_lock(typed.hub.lock), local)
except ClaimError as error:
    raise WorkflowError(f"config/claims.yaml: {error}") from None
except UserError as error:
    raise WorkflowError(str(error)) from None
paths = study.paths
modifier = workflow.modifier

driver.prepare()
# A dry run lists every job with its reason; while jobs run, each prints its own progress (`--verbose` shows both).
if modifier.is_main_snakefile() and not (workflow.output_settings.dryrun or workflow.output_settings.verbose):
    driver.shorten_log(workflow)


onstart:
    try:
        driver.on_start(workflow, modifier, study, unpinned)
    except UserError as error:
        raise WorkflowError(str(error)) from None
