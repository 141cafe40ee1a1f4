import pytest

from rnncodec.data.photos import SkippedImages
from rnncodec.errors import DataError


def test_one_percent_is_tolerated():
    unusable = SkippedImages(200, "photos/")
    unusable.add("a.png", "damaged")
    unusable.add("b.png", "damaged")
    unusable.check()
    assert list(unusable.reasons) == ["a.png", "b.png"]


def test_more_than_one_percent_fails_and_names_five():
    unusable = SkippedImages(200, "photos/")
    for letter in "abcdefg":
        unusable.add(f"{letter}.png", "damaged")
    with pytest.raises(
        DataError, match=r"7 of 200 .*photos/.*a\.png \(damaged\).*e\.png.*2 more"
    ) as e:
        unusable.check()
    assert "f.png" not in str(e.value)


@pytest.mark.parametrize(("total", "most"), [(3, 0), (4, 1), (22, 3), (399, 3), (400, 4)])
def test_a_small_set_may_have_a_few(total: int, most: int):
    unusable = SkippedImages(total, "photos/")
    for number in range(most):
        unusable.add(f"{number}.png", "damaged")
    unusable.check()
    unusable.add("one more.png", "damaged")
    with pytest.raises(DataError, match=f"{most + 1} of {total} .* at most {most} may be skipped"):
        unusable.check()


def test_each_image_is_logged_once_with_the_count(caplog: pytest.LogCaptureFixture):
    unusable = SkippedImages(300, "photos/")
    for name in ("a.png", "b.png", "a.png"):
        unusable.add(name, "cut short")
    assert caplog.messages == [
        "skipping a.png (1 of 300): cut short",
        "skipping b.png (2 of 300): cut short",
    ]
