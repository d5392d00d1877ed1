"""The table of `gpu_check.py`: one line per stage, and one per case that measured or failed."""

HEADER = ("stage", "case", "R", "ms", "rate", "of R = 1", "of product", "result")


def report(content):
    """Return the table as Markdown, given what `gpu_check.json` holds.

    *Of R = 1* compares the rate of a pack with that of one replicate, *of product* its operations per
    second with those of the square product in the same precision.
    """
    lines = [line for stage in content["stages"] for line in stage_lines(stage)]
    table = [HEADER, ["---"] * len(HEADER), *lines]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in table)


def stage_lines(stage):
    """Return the cells of the lines of a stage."""
    done = {record["case"] for record in stage["records"]}
    failed = [record for record in stage["records"] if "failed" in record]
    is_test = stage["name"].startswith("test_")
    summary = f"{stage['ended']} after {stage['seconds']:.0f} of {stage['limit_s']:.0f} s, "
    summary += f"{len(done) - len(failed)} of {len(stage['planned'])} cases passed"
    if is_test:
        files = sorted({case.partition("::")[0] for case in stage["planned"]})
        summary += f" of {', '.join(files)}"
    if stage["ended"] == "not run":
        summary = "not run"
    elif stage["ended"] != "passed":
        summary += f"; last line of its log: {stage['last_line']}"
    yield cells(stage["name"], "all", result=summary)
    shown = failed if is_test else stage["records"]
    for record in shown:
        yield record_line(stage, record)
    if not is_test:
        for case in stage["planned"]:
            if case not in done:
                yield cells(stage["name"], case, result=f"{stage['ended']} before its end")


def record_line(stage, record):
    """Return the cells of a case."""
    results = [record["result"]] if "result" in record else []
    if "failed" in record:
        results.append(f"failed: {record['failed'].strip().splitlines()[-1]}")
    return cells(
        stage["name"],
        record["case"],
        str(record.get("R", "")),
        number(record.get("ms")),
        f"{number(record['rate'])} {record['unit']}" if "rate" in record else "",
        ratio(record, "rate", alone(stage, record)),
        ratio(record, "flops_per_s", product(stage, record), percent=True),
        "; ".join(results),
    )


def alone(stage, record):
    """Return the record of the same model, precision and way with one replicate, if there is one."""
    keys = ("model", "precision", "way")
    wanted = ([record.get(key) for key in keys], 1)
    for other in stage["records"]:
        if "model" in other and ([other[key] for key in keys], other["R"]) == wanted:
            return other
    return None


def product(stage, record):
    """Return the record of the square product in the same precision, if there is one."""
    case = f"square product, {record.get('precision')}"
    return next((other for other in stage["records"] if other["case"] == case), None)


def ratio(record, name, other, percent=False):
    """Return the value of a record over that of another one; nothing where either is missing."""
    if other is None or name not in record or name not in other:
        return ""
    value = record[name] / other[name]
    return f"{value:.1%}" if percent else f"{value:.2f}"


def number(value):
    """Return a number with three digits."""
    return "" if value is None else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def cells(stage, case, r="", ms="", rate="", of_one="", of_product="", result=""):
    """Return the cells of a line, in which no text can end a cell or a line."""
    texts = (stage, case, r, ms, rate, of_one, of_product, result)
    return [" ".join(text.replace("|", "\\|").split()) for text in texts]
