# Needs: PAPER, the files that the selection has something for. Yields: a name for each table, figure and ablation.


def shown(name, *places):
    """Return a function that names the files of a target, and says so where the selection has nothing for it."""

    def files(wildcards):
        stems = {
            path: path.partition(".")[0].removeprefix("<results>/").removesuffix("-beside-paper") for path in PAPER
        }
        found = [path for path in PAPER if stems[path] in places]
        if not found:
            raise WorkflowError(
                f"{name}: nothing that is selected belongs there. Add the students and methods that it compares to "
                "`select` (docs/methods.md)"
            )
        return found

    return files


def everything(folder):
    return [path for path in PAPER if path.startswith(f"<results>/{folder}/")]


rule table1:
    """Safety and reasoning of every method on the Qwen3 students (Table 1)."""
    input:
        shown("table1", "tables/table1"),


rule table2:
    """The same on the R1-Distill students (Table 2)."""
    input:
        shown("table2", "tables/table2"),


rule table3:
    """Share of responses that the guard filters out (Table 3)."""
    input:
        shown("table3", "tables/table3"),


rule table4:
    """What each method was trained on, and for how long (Table 4)."""
    input:
        shown("table4", "tables/table4"),


rule table5:
    """The instructions to refuse (Table 5)."""
    input:
        shown("table5", "tables/table5"),


rule table6:
    """Table 1 with another guard as filter beside it (Table 6)."""
    input:
        shown("table6", "tables/table6"),


rule table7:
    """Table 2 with another guard as filter beside it (Table 7)."""
    input:
        shown("table7", "tables/table7"),


rule figure1:
    """Safety against reasoning of every method (Figure 1)."""
    input:
        shown("figure1", "figures/figure1"),


rule figure2:
    """A harmful prompt answered as it is, by a teacher, and under steering (Figure 2, from real samples)."""
    input:
        shown("figure2", "figures/figure2"),


rule figure3:
    """ThinkSafe against online reinforcement learning, with its cost (Figure 3)."""
    input:
        shown("figure3", "figures/figure3"),


rule figure4:
    """Refusals without reasoning, R1-Distill (Figure 4)."""
    input:
        shown("figure4", "figures/figure4"),


rule figure5:
    """Larger teachers of the student's family (Figure 5)."""
    input:
        shown("figure5", "figures/figure5"),


rule figure6:
    """Teachers of the other family, smaller students (Figure 6)."""
    input:
        shown("figure6", "figures/figure6"),


rule figure7:
    """Rejection sampling instead of refusal steering (Figure 7)."""
    input:
        shown("figure7", "figures/figure7"),


rule figure8:
    """Perplexity of each training set under the untrained student (Figure 8)."""
    input:
        shown("figure8", "figures/figure8"),


rule figure9:
    """Numbers and lengths of the kept responses, Qwen3 (Figure 9)."""
    input:
        shown("figure9", "figures/figure9"),


rule figure10:
    """Numbers and lengths of the kept responses, R1-Distill (Figure 10)."""
    input:
        shown("figure10", "figures/figure10"),


rule figure11:
    """Refusals without reasoning, Qwen3 (Figure 11)."""
    input:
        shown("figure11", "figures/figure11"),


rule figure12:
    """Teachers of the other family, larger students (Figure 12)."""
    input:
        shown("figure12", "figures/figure12"),


rule figure13:
    """Steering strategies (Figure 13)."""
    input:
        shown("figure13", "figures/figure13"),


rule ablation_steering:
    """Does the wording of the steering matter (Figure 13)."""
    input:
        shown("ablation_steering", "figures/figure13"),


rule ablation_no_reasoning:
    """Do refusals need their reasoning (Figures 4, 11)."""
    input:
        shown("ablation_no_reasoning", "figures/figure4", "figures/figure11"),


rule ablation_teachers:
    """Is one's own data better than a teacher's (Figures 5, 6, 12)."""
    input:
        shown("ablation_teachers", "figures/figure5", "figures/figure6", "figures/figure12"),


rule ablation_rejection:
    """Is steering needed at all (Figure 7)."""
    input:
        shown("ablation_rejection", "figures/figure7", "tables/effects"),


rule ablation_guard:
    """Does the filter's guard matter (Tables 6, 7)."""
    input:
        shown("ablation_guard", "tables/table6", "tables/table7"),


rule judge_study:
    """The same stored answers under both guards and both views: agreement, thresholds, ranking (docs/judges.md)."""
    input:
        lambda wildcards: judge_study_files(),


rule tables:
    """Every table that the selection has something for."""
    input:
        everything("tables"),


rule figures:
    """Every figure that the selection has something for."""
    input:
        everything("figures"),


rule claims:
    """What the run says of each claim of the paper: results/<run>/claims.md (docs/claims.md)."""
    input:
        shown("claims", "claims"),


rule report:
    """The run as one page that opens offline: results/<run>/report/index.html (docs/report.md)."""
    input:
        rules.write_report.output.html,


rule appendix:
    """What a reviewer asks for: results/<run>/appendix.md and checklist.md (docs/appendix.md)."""
    input:
        rules.write_appendix.output.appendix,
        rules.write_appendix.output.checklist,
