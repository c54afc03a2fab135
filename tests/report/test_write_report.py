"""The page of a run: what is in the file, and how it behaves in a real browser."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from scripts.report.write_report import write_report
from thinksafe.files import write_json, write_rows
from thinksafe.layout import ADAPTER, ANSWER_VERDICTS, ANSWERS, SCORE
from thinksafe.reporting.page import log_of
from thinksafe.reporting.tables import write_csv

ROOT = Path(__file__).parents[2]
NASTY = "</script><img src=x onerror=\"document.title='broken'\"><b>&amp; {{ run }}"
ANSWER = {"id": str, "draw": int, "prompt": str, "response": str, "tokens": int, "finish_reason": str}
VERDICT = {"id": str, "draw": int, "harm": str, "p_unsafe": float, "p_refusal": float, "output": str}
SCORED = {"id": str, "draw": int, "outcome": bool, "correct": bool}
KINDS = [("harmbench", "HarmBench", "harm"), ("xstest", "XSTest", "refusal"), ("gsm8k", "GSM8K", "reasoning")]
METRICS = ("safety_avg", "reasoning_avg", "harmbench")
TABLE = ["student", "method", "metric", "value", "low", "high", "n", "replicates", "std"]


def make_run(folder: Path, students: int = 2, methods: int = 3, prompts: int = 6, replicates: int = 1) -> dict:
    """Write the files of a run, every text of which is hostile to the page, and return the arguments."""
    names = [f"student-{n}" for n in range(students)]
    ways = ["initial", "thinksafe", *(f"method-{n}" for n in range(2, methods))][:methods]
    benchmarks = [{"id": name, "label": label, "kind": kind} for name, label, kind in KINDS]
    cells, questions, rows = [], [], []
    files: dict[str, list[str]] = {"scores": [], "rows": [], "answers": [], "verdicts": []}
    for entry in benchmarks:
        questions.append(str(folder / f"benchmarks/{entry['id']}.parquet"))
        asked = [{"id": f"{entry['id']}-{n}", "prompt": f"HARMFUL-PROMPT {n} {NASTY}"} for n in range(prompts)]
        if entry["kind"] != "harm":
            asked = [row | {"prompt": f"Question {row['id']} {NASTY}"} for row in asked]
        write_rows(questions[-1], asked, {"id": str, "prompt": str})
    for student in names:
        for place, method in enumerate(ways):
            rows += [
                dict(
                    **dict(student=student, method=method, metric=metric, value=value, low=value - 5, high=value + 5),
                    **dict(n=prompts, replicates=replicates, std=1.25 if replicates > 1 else None),
                )
                for metric, value in (
                    ("safety_avg", 60 - 9.0 * place),
                    ("reasoning_avg", 50 + place),
                    ("harmbench", 7.0),
                )
            ]
            for entry, seed in product(benchmarks, range(replicates)):
                cell = {"student": student, "method": method, "replicate": seed, "benchmark": entry["id"]}
                cells.append(cell)
                base = folder / SCORE(cell, kind="reasoning" if entry["kind"] == "reasoning" else "safety")
                answers, verdicts, scored = [], [], []
                for n in range(prompts):
                    key = {"id": f"{entry['id']}-{n}", "draw": 0}
                    bad = entry["kind"] == "harm" and n % 2 == 0
                    thought = f"thought {method} of seed {seed} {NASTY}"
                    said = f"<think>\n{thought}\n</think>\n\n{'HARMFUL-ANSWER' if bad else 'fine'} {NASTY}"
                    answers.append(key | {"response": said, "tokens": 9, "finish_reason": "stop"})
                    harm = {"harm": "unsafe" if bad else "safe", "p_unsafe": 0.9 if bad else 0.1}
                    verdicts.append(key | harm | {"p_refusal": 0.25, "output": f"verdict {NASTY}"})
                    scored.append(key | {"outcome": bad, "correct": n % 2 == 0})
                write_json(f"{base}.json", {"value": 1.0})
                files["scores"].append(f"{base}.json")
                files["rows"].append(f"{base}.parquet")
                write_rows(files["rows"][-1], scored, SCORED)
                files["answers"].append(f"{folder / ANSWERS(cell, shard=0)}.parquet")
                write_rows(files["answers"][-1], answers, ANSWER)
                if entry["kind"] != "reasoning":
                    files["verdicts"].append(f"{folder / ANSWER_VERDICTS(cell, shard=0, guard='g')}.parquet")
                    write_rows(files["verdicts"][-1], verdicts, VERDICT)
    write_csv(str(folder / "tables/table1.csv"), TABLE, rows)
    said = {"difference": -1.0, "verdict": "agrees", "footnote": "Odd in the paper."}
    beside = [row | said | {"paper": row["value"] + 1} for row in rows]
    companion = str(folder / "tables/table1-beside-paper.csv")
    write_csv(companion, ["student", "method", "metric", "paper", *said, "low", "high"], beside)
    over = {"students": {"students": [names[0]], "of": 2}}
    claim = {
        "id": "A01",
        "text": f"Safer {NASTY}",
        "reading": "paper",
        "verdict": "holds",
        "share": 0.97,
        "missing": [],
    }
    claim |= {"margin": 4.0, "low": 1.0, "high": 7.0, "n": 300, "over": over}
    board = {"claims": [claim], "counts": {"holds": 1}, "changed_since_start": False}
    write_json(folder / "claims.json", board)
    adapter = {"student": names[0], "method": "thinksafe", "replicate": 0}
    identity = folder / f"{ADAPTER(adapter)}.identity.json"
    log = Path(log_of(str(identity)))
    log.parent.mkdir(parents=True)
    lines = [{"attempt": 1}, *({"step": n, "loss": 1 / n, "time": 5.0} for n in range(1, 1000)), {"step": 999}]
    log.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return {
        "tables": [str(folder / "tables/table1.csv"), companion],
        **files,
        "prompts": questions,
        "adapters": [str(identity)],
        "identities": [],
        "claims": [str(folder / "claims.json")],
        "spec": {
            "run": "trial",
            "cells": cells,
            "adapters": [adapter],
            "use_paper_scores": False,
            "students": [[name, name.upper()] for name in names],
            "methods": [[name, name.upper()] for name in ways],
            "benchmarks": benchmarks,
            "public": False,
            "samples": len(cells) * prompts,
        },
    }


def score_of(folder: Path, method: str, replicate: int = 0) -> Path:
    """Return the score of the first student on HarmBench."""
    cell = {"student": "student-0", "method": method, "replicate": replicate, "benchmark": "harmbench"}
    return folder / f"{SCORE(cell, kind='safety')}.json"


def page_of(folder: Path, arguments: dict, **changes) -> tuple[Path, dict]:
    """Write the page and return it with the data that is in it."""
    page = folder / "report/index.html"
    write_report(**arguments | {"spec": arguments["spec"] | changes}, html=str(page))
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(), re.S)
    return page, json.loads(found[1])


def test_what_a_model_wrote_is_data(tmp_path):
    page, data = page_of(tmp_path, make_run(tmp_path))
    text = page.read_text()
    assert text.count("</script>") == 2 and "<img" not in text and "onerror" in text
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//|@import|url\(""", text)  # nothing from elsewhere
    answers = {(row[0], row[1]): row for row in data["answers"]}
    assert len(answers) == 18 * 6 and NASTY in answers[0, "harmbench-0"][6]
    assert answers[0, "harmbench-0"][2:5] == ["unsafe", 0.9, True]
    assert answers[0, "harmbench-1"][2:5] == ["safe", 0.1, True]  # a refusal may repeat what was asked
    assert answers[1, "xstest-0"][2:5] == ["answered", 0.25, False]
    assert answers[2, "gsm8k-1"][2:5] == ["wrong", None, False]
    files = data["cells"][0][4]
    assert set(files) == {"score", "identity", "rows", "answers", "verdicts"}
    assert (page.parent / files["score"]).exists() and (page.parent / files["answers"]).exists()
    again, _ = page_of(tmp_path / "again", make_run(tmp_path / "again"))
    assert again.read_bytes() == page.read_bytes()


def test_the_public_build_holds_no_harmful_text(tmp_path):
    page, data = page_of(tmp_path, make_run(tmp_path), public=True)
    assert "HARMFUL" not in page.read_text() and "Question xstest-0" in page.read_text()
    # A guard that gives reasons may repeat what it judged: of what is left out only its verdict stays.
    words = {(data["cells"][row[0]][3], row[9]) for row in data["answers"] if row[4]}
    assert words == {("harmbench", "safe"), ("harmbench", "unsafe")}
    assert {row[2] for row in data["answers"] if row[0] == 0} == {"safe", "unsafe"}  # the verdicts stay


def test_samples_are_the_same_for_every_method(tmp_path):
    _, data = page_of(tmp_path, make_run(tmp_path, prompts=40), samples=18 * 5)
    asked = {}
    for index, prompt, *_ in data["answers"]:
        asked.setdefault(index, set()).add(prompt)
    assert {len(names) for names in asked.values()} == {5}
    assert len({tuple(sorted(names)) for names in asked.values()}) == len(KINDS)
    assert page_of(tmp_path, make_run(tmp_path / "none"), samples=0)[1]["answers"] == []


def test_curves_are_thinned(tmp_path):
    _, data = page_of(tmp_path, make_run(tmp_path))
    ((student, method, replicate, file, points),) = data["curves"]
    assert (student, method, replicate) == ("student-0", "thinksafe", 0)
    assert file == "../adapters/student-0/trained-with/thinksafe/replicate-0.training.jsonl"
    assert len(points) <= 162 and points[0] == [1, 1.0] and points[-1][0] == 999


# ---------------------------------------------------------------- in a browser
BROWSER, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))


@pytest.fixture(scope="module")
def browser():
    """Chromium without a window, ended by its process id."""
    if not (BROWSER and DRIVER):
        why = "no chromium and chromedriver: on Debian, apt-get install chromium chromium-driver"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1200,900",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    process = service.process.pid
    try:
        yield driver
    finally:
        driver.quit()
        try:
            os.kill(process, signal.SIGTERM)
        except ProcessLookupError:
            pass


def opened(browser, page: Path, fragment: str = "") -> None:
    browser.get("about:blank")
    browser.get(page.as_uri() + fragment)
    assert browser.execute_script("return document.documentElement.dataset.ready") == "yes", browser.get_log("browser")


def said(browser) -> str:
    return browser.execute_script("return document.getElementById('sample-place').textContent")


def test_a_cells_lineage_unfolds(browser, tmp_path):
    """`id` beside a number, an average too, leads to the files behind it, down to modules; a name is text."""
    from selenium.webdriver.common.by import By

    arguments = make_run(tmp_path, students=1, methods=1)
    base, answers = (Path(arguments[name][0]).relative_to(tmp_path).with_suffix("") for name in ("scores", "answers"))
    told = {"code": {"score_safety": "0"}, "environment": {"numpy": "2.4.6"}, "spec": {}}
    sampled = {"content": {f"{answers}.parquet": "a" * 64}, "inputs": {"<b>&amp;": "b" * 64}}
    scored = {"content": {f"{base}.json": "c" * 64}, "inputs": {f"{answers}.parquet": "a" * 64}}
    for name, parts in ((base, scored), (answers, sampled)):
        write_json(tmp_path / f"{name}.identity.json", told | parts)
    arguments["identities"] = [str(tmp_path / f"{name}.identity.json") for name in (base, answers)]
    page, data = page_of(tmp_path, arguments)
    assert data["lineage"]["roots"] == [0, None, None] and len(data["lineage"]["steps"]) == 3
    opened(browser, page)
    assert "No cell is chosen." in browser.find_element(By.ID, "lineage-place").text
    links = {link.get_attribute("href").partition("#")[2] for link in browser.find_elements(By.CSS_SELECTOR, "td .id")}
    assert links == {"lineage=student-0/initial/harmbench", "lineage=student-0/initial/safety_avg", ""}
    browser.execute_script("document.querySelector('td .id[href$=safety_avg]').click()")
    place = browser.find_element(By.ID, "lineage-place")
    assert f"{base}.json cccccccccccc" in place.text and "Code: score_safety. With numpy 2.4.6." in place.text
    assert "thinksafe trace student-0/initial/safety_avg --run trial" in place.text and "<b>" not in place.text
    browser.execute_script("arguments[0].click()", place.find_element(By.CSS_SELECTOR, "details details summary"))
    assert "<b>&amp; bbbbbbbbbbbb" in place.text
    assert place.find_element(By.CSS_SELECTOR, "a").get_attribute("href") == (tmp_path / f"{base}.json").as_uri()
    assert browser.get_log("browser") == []


def test_in_a_browser(browser, tmp_path):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    page, _ = page_of(tmp_path, make_run(tmp_path))
    opened(browser, page)
    # Hostile text is on the screen as text.
    assert NASTY in said(browser) and browser.title == "ThinkSafe-Flow: trial"
    assert not browser.find_elements(By.TAG_NAME, "img")
    # Figure: a mark for each student and method, its numbers at focus, filters by keyboard.
    marks = browser.find_elements(By.CSS_SELECTOR, "#tradeoff-figure .mark")
    assert len(marks) == 6
    browser.execute_script("arguments[0].focus()", marks[-2])  # ThinkSafe is drawn last
    assert "THINKSAFE on STUDENT-0" in browser.find_element(By.CSS_SELECTOR, ".tip").text
    button = browser.find_element(By.CSS_SELECTOR, "[data-filter=thinksafe]")
    button.send_keys(Keys.SPACE)
    assert len(browser.find_elements(By.CSS_SELECTOR, "#tradeoff-figure .mark")) == 4
    button.send_keys(Keys.ENTER)
    browser.find_element(By.CSS_SELECTOR, "[aria-label='none methods']").click()
    assert not browser.find_elements(By.CSS_SELECTOR, "#tradeoff-figure .mark")
    browser.find_element(By.CSS_SELECTOR, "[aria-label='all methods']").click()
    assert len(browser.find_elements(By.CSS_SELECTOR, "#tradeoff-figure .mark")) == 6
    assert len(browser.find_elements(By.CSS_SELECTOR, "#tradeoff-figure .way")) == 2  # Initial to ThinkSafe
    assert not browser.find_element(By.ID, "sample-replicate").is_displayed()  # there is one seed
    # Tables: numbers link to their files, the paper's on demand.
    cell = browser.find_element(By.CSS_SELECTOR, "#table-place tbody a")
    assert cell.get_attribute("href") == score_of(tmp_path, "initial").as_uri()
    assert "paper 8.00*, agrees" not in browser.page_source
    browser.find_element(By.ID, "table-paper").send_keys(Keys.SPACE)
    assert "paper 8.00*, agrees" in browser.find_element(By.ID, "table-place").text
    assert "Odd in the paper." in browser.find_element(By.ID, "table-place").text
    board = browser.find_element(By.ID, "claims-place").text
    assert "1 of 2: STUDENT-0" in board and "4.00 (1.00 to 7.00) 97 % 300" in board
    # Reader: folded, chosen by verdict, the next by an arrow key, and the same again through its link.
    assert all(not fold.get_attribute("open") for fold in browser.find_elements(By.CSS_SELECTOR, "[data-harmful]"))
    browser.execute_script(
        "const v = document.getElementById('sample-verdict'); v.value = 'unsafe'; v.dispatchEvent(new Event('change'))"
    )
    assert browser.find_element(By.ID, "sample-count").text == "1 of 3"
    assert len(browser.find_elements(By.CSS_SELECTOR, ".pair .said")) == 2  # Initial and the method
    browser.find_element(By.ID, "sample-next").send_keys(Keys.ARROW_RIGHT)
    assert browser.find_element(By.ID, "sample-count").text == "2 of 3"
    link, before = browser.find_element(By.ID, "sample-link").get_attribute("href"), said(browser)
    opened(browser, page, "#" + link.partition("#")[2])
    assert said(browser) == before and "harmbench-2" in before
    opened(browser, page, "#sample=nobody/%zz")  # a link that leads nowhere
    # A narrow screen scrolls downwards only.
    browser.set_window_size(500, 800)
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    box = "return document.querySelector('#tradeoff-figure svg').viewBox.baseVal.width"
    assert browser.execute_script(box) <= 500  # drawn for this width, so that its letters stay legible
    browser.set_window_size(1200, 900)
    assert browser.get_log("browser") == []


def test_every_number_leads_somewhere(browser, tmp_path):
    """Tables of figures, another guard's shares and claims, too, and after the run is moved; rounded as tables are."""
    from urllib.parse import unquote, urlsplit

    arguments = make_run(tmp_path / "run", students=1, methods=2)
    who = {"student": "student-0", "method": "thinksafe", "n": 6}
    rows = [who | {"metric": "harmbench", "value": 71.725}, who | {"metric": "harmbench:oracle", "value": -0.001}]
    figure = str(tmp_path / "run/tables/figure3.csv")
    write_csv(figure, TABLE, [*rows, who | {"metric": "train_hours", "value": 1.5}])
    effects = str(tmp_path / "run/tables/effects.csv")
    write_csv(effects, [*TABLE, "against"], [rows[0] | {"against": "initial"}])
    for score in arguments["scores"]:
        write_json(score.removesuffix(".json") + ".identity.json", {})
    for path in (*arguments["tables"], figure, effects):
        write_json(path.removesuffix(".csv") + ".identity.json", {})
    write_json(tmp_path / "run/claims.identity.json", {})
    page_of(tmp_path / "run", arguments | {"tables": [*arguments["tables"], figure, effects]})
    (tmp_path / "run").rename(tmp_path / "moved")
    opened(browser, tmp_path / "moved/report/index.html")
    choose = """const t = document.getElementById('table-choice'); t.value = arguments[0];
        t.dispatchEvent(new Event('change'));
        return [...document.querySelectorAll('#table-place a, #claims-place a, #sample-place a')].map((a) => a.href)"""
    for name, least in (("table1", 12), ("figure3", 8)):
        links = browser.execute_script(choose, name)
        files = [unquote(urlsplit(link).path) for link in links]
        assert len(links) > least and all(Path(path).is_file() for path in files), files
    text = browser.find_element("id", "table-place").text
    assert "71.73" in text and "0.00" in text and "-0.00" not in text and "1.50" in text
    score = score_of(tmp_path / "moved", "thinksafe").as_uri()
    assert sum(link == score for link in links[:8]) == 2
    difference = browser.execute_script(choose, "effects")[2]  # it is no score's number
    assert difference == (tmp_path / "moved/tables/effects.csv").as_uri()
    assert browser.get_log("browser") == []


def test_rows_of_a_released_training_set_are_marked(browser, tmp_path):
    arguments = make_run(tmp_path)
    arguments["spec"] |= {"released": [["student-1", "thinksafe"]]}
    browser.get(page_of(tmp_path, arguments)[0].as_uri())
    marked = browser.execute_script(
        "return [...document.querySelectorAll('td')].map((cell) => cell.innerText).filter((text) => text.includes('‡'))"
    )
    assert marked == ["THINKSAFE ‡"]


def test_costs_say_how_well_devices_were_used(browser, tmp_path):
    run = make_run(tmp_path)
    told = {"training:device_hours": 2.0, "device_hours": 2.5, "train_hours": 3.0, "gpu_utilisation": 87.4}
    told |= {"generation:tokens_per_second": 1234.4, "gpu_memory_mb": 40960}
    rows = [dict(student="student-0", method="thinksafe", metric=metric, value=value) for metric, value in told.items()]
    run["tables"].append(str(tmp_path / "tables/cost.csv"))
    write_csv(run["tables"][-1], TABLE, rows)
    browser.get(page_of(tmp_path, run)[0].as_uri())
    names, cells = (
        browser.execute_script(
            f"return [...document.querySelectorAll('#cost-place {tag}')].map((cell) => cell.innerText)"
        )
        for tag in ("th", "td")
    )
    assert names[-3:] == ["tokens/s", "GPU busy", "GPU memory"]  # none was told of the machine's own memory
    assert cells[-3:] == ["1234", "87 %", "40.0 GiB"]


def test_a_doubtful_number_is_marked(browser, tmp_path):
    """As in the table for reading: 77.5 % of well-formed responses, or 3 of 6 verdicts that could not be read."""
    arguments = make_run(tmp_path, students=1, methods=3)
    rows = [
        {"student": "student-0", "method": method, "metric": "harmbench", "value": 5.0, "n": 6} | health
        for method, health in (
            ("initial", {"well_formed": 77.5}),
            ("thinksafe", {"unknown": 3, "well_formed": 99.0}),
            ("method-2", {"unknown": 1, "well_formed": 80.0}),
        )
    ]
    write_csv(arguments["tables"][0], [*TABLE, "unknown", "well_formed"], rows)
    opened(browser, page_of(tmp_path, arguments)[0])
    cells = browser.find_elements("css selector", "#table-place tbody td:nth-child(3)")
    assert ["†" in cell.text for cell in cells] == [True, True, False]
    assert browser.get_log("browser") == []


def test_printed_cells_are_made_all_at_once(tmp_path):
    _, data = page_of(tmp_path, make_run(tmp_path), use_paper_scores=True)
    assert {cell[4]["identity"] for cell in data["cells"]} == {"../scores/printed.identity.json"}


def test_marks_at_one_place(browser, tmp_path):
    """ThinkSafe is on top, and a mark names what it covers; the whole page can be printed."""
    arguments = make_run(tmp_path, students=1)
    rows = [
        {"student": "student-0", "method": method, "metric": metric, "value": 5.0, "n": 6}
        for method in ("initial", "thinksafe", "method-2")
        for metric in ("safety_avg", "reasoning_avg")
    ]
    write_csv(arguments["tables"][0], TABLE, rows)
    page, _ = page_of(tmp_path, arguments)
    opened(browser, page)
    last = browser.find_elements("css selector", "#tradeoff-figure .mark")[-1]
    browser.execute_script("arguments[0].focus()", last)
    tip = browser.find_element("css selector", ".tip").text
    assert tip.startswith("THINKSAFE") and "here, too: INITIAL on STUDENT-0, METHOD-2 on STUDENT-0" in tip
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    seen = (
        "const s = getComputedStyle(document.querySelector(arguments[0])); return [s.overflowX, s.maxHeight, s.display]"
    )
    assert browser.execute_script(seen, ".wide")[:2] == ["visible", "none"]
    assert browser.execute_script(seen, ".filter")[2] != "none"  # it is the legend
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert browser.get_log("browser") == []


def test_several_seeds_in_a_browser(browser, tmp_path):
    from selenium.webdriver.common.by import By

    page, _ = page_of(tmp_path, make_run(tmp_path, replicates=2))
    opened(browser, page)
    links = browser.find_elements(By.CSS_SELECTOR, "#table-place tbody td:nth-child(3) a")[:5]
    assert [link.text for link in links] == ["7.00", "s0", "id", "s1", "id"]
    assert "mean of 2 seeds, standard deviation 1.25" in links[0].get_attribute("title")
    assert links[3].get_attribute("href") == score_of(tmp_path, "initial", replicate=1).as_uri()
    # Initial and the method are those of one seed, and so is the link.
    assert "thought thinksafe of seed 0" in said(browser) and "of seed 1" not in said(browser)
    browser.execute_script(
        "const v = document.getElementById('sample-replicate'); v.value = '1'; v.dispatchEvent(new Event('change'))"
    )
    assert "thought initial of seed 1" in said(browser) and "of seed 0" not in said(browser)
    link, before = browser.find_element(By.ID, "sample-link").get_attribute("href"), said(browser)
    opened(browser, page, "#" + link.partition("#")[2])
    assert said(browser) == before and browser.get_log("browser") == []


def test_the_public_build_in_a_browser(browser, tmp_path):
    page, _ = page_of(tmp_path, make_run(tmp_path), public=True)
    opened(browser, page)
    assert "Left out of the public build." in said(browser) and browser.get_log("browser") == []


@pytest.mark.slow
def test_a_whole_run_is_quick(browser, tmp_path):
    """As many cells as the paper has (3 benchmarks here), and 5,000 samples."""
    page, data = page_of(tmp_path, make_run(tmp_path, students=7, methods=31, prompts=8), samples=5208)
    assert len(data["cells"]) == 651 and len(data["answers"]) == 5208
    opened(browser, page)
    loaded = "const t = performance.getEntriesByType('navigation')[0]; return t.loadEventEnd - t.startTime"
    assert browser.execute_script(loaded) < 3000  # milliseconds
    change = """const v = document.getElementById('sample-student'), from = performance.now();
        v.value = 'student-6'; v.dispatchEvent(new Event('change')); return performance.now() - from"""
    assert browser.execute_script(change) < 300
    assert browser.get_log("browser") == []


@pytest.mark.slow
def test_snakemakes_own_report(browser, tmp_path):
    """Made of a run of the paper's printed numbers: every table and figure, each with a caption, opens in a browser."""
    (tmp_path / "config").symlink_to(ROOT / "config")
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "all"]
    for more in (["--cores", "2"], ["--report", "report.html"]):
        done = subprocess.run(
            [*snakemake, *more, "--configfile", str(ROOT / "config/printed.yaml")],
            cwd=tmp_path,
            env=os.environ | {"THINKSAFE_WARM": "off"},
            capture_output=True,
            text=True,
        )
        assert not done.returncode, done.stdout[-2000:] + done.stderr[-3000:]
    run = next((tmp_path / "results").iterdir())
    browser.get((tmp_path / "report.html").as_uri())
    shown = browser.execute_script("return results")
    made = {str(path.relative_to(tmp_path)) for kind in ("tables/*.html", "figures/*.png") for path in run.glob(kind)}
    assert made and made <= set(shown)
    assert not [path for path in made if len(shown[path]["caption"]) < 40]
    captions = {path: shown[path]["caption"] for path in made if "table" in path}
    assert all(
        "Safety and reasoning of every method" in text for path, text in captions.items() if "beside" not in path
    )
    table = next(path for path in made if path.endswith("table1.html"))
    browser.get(shown[table]["data_uri"])
    assert "ThinkSafe" in browser.find_element("tag name", "table").text


def test_every_caption_is_there_and_every_picture_has_one():
    rules = "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    named = set(re.findall(r'caption="\.\./report/([\w-]+\.rst)"', rules))
    assert named == {path.name for path in (ROOT / "report").glob("*.rst")}
    pictures = re.findall(r"^        png=(.+)$", rules, re.M)
    assert pictures and all(re.match(r'report\("<results>/figures/[\w{}-]+\.png", caption=', line) for line in pictures)
