import io

from rich.console import Console

from rnncodec.machine.progress import progress_bar, track


def test_things_pass_through(capsys):
    assert list(track(iter("abc"), "letters", total=3)) == ["a", "b", "c"]
    assert list(track([1, 2], "numbers", hidden=True)) == [1, 2]
    assert capsys.readouterr() == ("", ""), "no terminal: nothing is drawn"


def test_a_terminal_gets_a_bar_that_says_how_many():
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=100)
    with progress_bar(console=console) as bar:
        task = bar.add_task("photographs [x]", total=3)
        bar.advance(task)
    assert "photographs [x]" in file.getvalue()
    assert "1/3" in file.getvalue()


def test_hidden_it_draws_nothing_even_there():
    file = io.StringIO()
    with progress_bar(console=Console(file=file, force_terminal=True), hidden=True) as bar:
        bar.advance(bar.add_task("photographs", total=3))
    assert file.getvalue() == ""
