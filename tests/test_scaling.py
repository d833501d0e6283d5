"""The command behind the README's scaling section: what it measures, and how it reckons."""

from click.testing import CliRunner

from benchmarks import scaling
from benchmarks.scaling import Cost, main, on_paper, table


def test_the_command_measures_cases_and_two_processes():
    done = CliRunner().invoke(main, ["--operation", "upsample", "--examples", "2"])
    assert done.exit_code == 0, done.output
    assert "| `upsample` | 2 |" in done.output
    assert "times as fast" in done.output
    assert f"{scaling.CASES * scaling.DTYPES:,} jobs" in done.output


def test_a_run_takes_no_less_than_its_longest_case():
    costs = [Cost("slow", (60.0, 0.0)), Cost("fast", (0.001,))]
    assert on_paper(costs, 1.0, cases=1, dtypes=1, cores=10**9)["seconds"] == 61.0
    assert table(costs).splitlines()[2].startswith("| `slow` | 2 | 30000 | 30000 | 60000 | 100% |")
