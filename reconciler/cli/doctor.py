"""`archipelago doctor`: what was found on this machine, and what to do about it."""

from typing import Any

from reconciler.cli.call import FAILED, Call

_MARKS = {"ok": ("ok", "green"), "note": ("note", "yellow"), "problem": ("PROBLEM", "red")}


def doctor(call: Call) -> None:
    """Look for what keeps Podman or the reconciler from working, and say what to do."""
    from reconciler import wiring

    findings = [
        {
            "status": str(finding.status),
            "subject": finding.subject,
            "found": finding.found,
            "todo": finding.todo,
        }
        for finding in wiring.findings(call.settings())
    ]
    if call.json:
        call.print_json({"findings": findings})
    else:
        _show(findings)
    call.finish(FAILED if any(f["status"] == "problem" for f in findings) else 0)


def _show(findings: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    from reconciler.cli.tables import console
    from reconciler.cli.words import counted, plain

    table = Table.grid(padding=(0, 2))
    for finding in findings:
        mark, style = _MARKS.get(finding["status"], (finding["status"], ""))
        advice = f"\n→ {finding['todo']}" if finding["todo"] else ""
        words = Text(plain(finding["found"] + advice), overflow="fold")
        table.add_row(Text(mark, style), Text(finding["subject"]), words)
    page = console()
    page.print(table)
    problems = sum(f["status"] == "problem" for f in findings)
    page.print(f"\n{counted(problems, 'problem')}." if problems else "\nAll is well.")
