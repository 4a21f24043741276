"""Which part and which class each image belongs to, from the names of folders and files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dlrun.errors import DataError, listing

PARTS = {
    **dict.fromkeys(("train", "training"), "training"),
    **dict.fromkeys(("validation", "val", "valid"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
ORDER = ("training", "validation", "test")


@dataclass(frozen=True)
class Picture:
    """One image file: its name in the source, its class, its part (empty: the source has no parts)."""

    name: str
    label: str
    part: str = ""


def arrange(names: Sequence[str], label_from: str, place: str) -> tuple[list[Picture], list[str]]:
    """The images with class and part, and the names of those that have no class.

    `label_from` is `folder`, `file_name` or `auto`. Raises DataError, naming `place`, when the names make no sense.
    """
    rests = _without_wrapper({name: name.split("/") for name in names}, label_from)
    tops = {rest[0] for rest in rests.values() if len(rest) > 1}
    given = {top for top in tops if top.lower() in PARTS}
    if any(PARTS[top.lower()] == "training" for top in given) and len(given) > 1:
        if tops - given:
            raise DataError(
                f"{place}: beside {listing(sorted(given))} there are other folders with images",
                received=listing(sorted(tops - given)),
                expected="either folders of classes, or train, validation and test with a folder for each class",
            )
        loose = [name for name, rest in rests.items() if len(rest) == 1]
        inside = {name: rest for name, rest in rests.items() if len(rest) > 1}
        found, without = _labelled({name: rest[1:] for name, rest in inside.items()}, label_from)
        pictures = [replace(p, part=PARTS[inside[p.name][0].lower()]) for p in found]
        return pictures, [*loose, *without]
    return _labelled(rests, label_from)


def _without_wrapper(rests: dict[str, list[str]], label_from: str) -> dict[str, list[str]]:
    """The names below the folders that only wrap all others."""
    while True:
        tops = {rest[0] if len(rest) > 1 else "" for rest in rests.values()}
        (top, *more) = tops
        if more or not top:
            return rests
        inner = {name: rest[1:] for name, rest in rests.items()}
        flat = all(len(rest) == 1 for rest in inner.values())
        several = label_from != "folder" and len({_file_label(rest[-1]) for rest in inner.values()} - {""}) > 1
        if top.lower() not in PARTS and label_from != "file_name" and flat and not several:
            return rests  # the only class
        rests = inner


def _labelled(rests: Mapping[str, list[str]], label_from: str) -> tuple[list[Picture], list[str]]:
    folders = any(len(rest) > 1 for rest in rests.values())
    use_folder = label_from == "folder" or (label_from == "auto" and folders)
    labels = {
        name: (rest[0] if len(rest) > 1 else "") if use_folder else _file_label(rest[-1])
        for name, rest in rests.items()
    }
    pictures = [Picture(name, label) for name, label in labels.items() if label]
    return pictures, [name for name, label in labels.items() if not label]


def _file_label(name: str) -> str:
    """`cat` of `cat.0.jpg`; empty when there are not two dots."""
    return name.split(".")[0] if name.count(".") > 1 else ""


def check_classes(pictures: Sequence[Picture], without: Sequence[str], place: str) -> list[str]:
    """The classes in alphabetical order. Raises DataError when they are no two or training lacks one."""
    labels = sorted({p.label for p in pictures})
    if not labels:
        raise DataError(
            f"{place}: no image belongs to a class",
            received=listing(without, 3),
            expected="a folder for each class, or file names such as cat.0.jpg",
        )
    if len(labels) == 1:
        raise DataError(
            f"{place}: all {len(pictures):,} images belong to one class, {labels[0]!r}",
            expected="at least two folders of images, or file names such as cat.0.jpg and dog.0.jpg",
            hint=f"data.classes: [{labels[0]}] takes one class alone, which an autoencoder or a GAN learns",
        )
    learned = {p.label for p in pictures if p.part in ("", "training")}
    lacking = [label for label in labels if label not in learned]
    if lacking:
        raise DataError(f"{place}: there are no training images of {listing(lacking)}")
    return labels


def in_order(pictures: Sequence[Picture]) -> list[Picture]:
    """By part, then class; each class in the order it had (natural order of names)."""
    rank = {part: place for place, part in enumerate(ORDER)}
    return sorted(pictures, key=lambda p: (rank.get(p.part, 0), p.label))


def take_per_class(pictures: Sequence[Picture], wishes: Mapping[str, float], place: str) -> list[Picture]:
    """Numbers (or shares, below 1) of each class for each part, from its files in natural order.

    Without parts in the source the parts are cut one after the other (DLwP 5.2.2: 0-999 train, 1000-1499 validate,
    1500-1999 test); with them, each gives its first files. Parts without a wish are left out. Raises DataError.
    """
    _check_wishes(wishes)
    own = any(p.part for p in pictures)
    chosen = []
    for label in sorted({p.label for p in pictures}):
        start = 0
        for part in [part for part in ORDER if part in wishes]:
            pool = [p for p in pictures if p.label == label and p.part in ("", part)]
            if own and not pool:
                raise DataError(f"{place}: there is no image of {label} for {part}", key=("data", "per_class", part))
            count = round(wishes[part] * len(pool)) if wishes[part] < 1 else int(wishes[part])
            start = 0 if own else start
            if start + count > len(pool) or count < 1:
                raise _too_many(place, label, part, count, len(pool), wishes)
            chosen += [replace(p, part=part) for p in pool[start : start + count]]
            start += count
    return chosen


def scale_wishes(pictures: Sequence[Picture], wishes: Mapping[str, float]) -> tuple[dict[str, float], str]:
    """The wished numbers, all made smaller alike until each class has so many files, and a note (empty: they fit).

    Shares stay as they are.
    """
    _check_wishes(wishes)
    counts = {part: int(wish) for part, wish in wishes.items() if wish >= 1}
    pools = Counter((p.label, p.part) for p in pictures)
    own = any(p.part for p in pictures)
    labels = sorted({p.label for p in pictures})
    found = {
        (label, part): (pools[label, part], count) if own else (pools[label, ""], sum(counts.values()))
        for label in labels
        for part, count in counts.items()
    }
    (label, part), (have, wanted) = min(
        found.items(), key=lambda item: item[1][0] / item[1][1], default=(("", ""), (0, 0))
    )
    if have >= wanted:
        return dict(wishes), ""
    scaled = {part: max(1, count * have // wanted) for part, count in counts.items()}
    taken = listing([f"{count:,} for {name}" for name, count in scaled.items()])
    where = f" for {part}" if own else ""
    asked = f"data.per_class asks for {wanted:,} images of each class{where}"
    return {**wishes, **scaled}, f"{asked} and {label} has {have:,}: taken are {taken} (data.scale_per_class)"


def _too_many(place: str, label: str, part: str, count: int, found: int, wishes: Mapping[str, float]) -> DataError:
    total = sum(wishes.values())
    shares = ", ".join(f"{name}: {round(wish / total, 3):g}" for name, wish in wishes.items())
    return DataError(
        f"{place}: the class {label} has {found:,} images, too few for data.per_class",
        key=("data", "per_class", part),
        received=listing([f"{name}: {wish:g}" for name, wish in wishes.items()]) + f" ({count:,} for {part})",
        hint=f"data.scale_per_class: true takes fewer for every part alike; or shares: per_class: {{{shares}}}",
    )


def _check_wishes(wishes: Mapping[str, float]) -> None:
    for part, wish in wishes.items():
        if part not in ORDER:
            raise DataError(
                f"data.per_class: {part!r} is no part", key=("data", "per_class", part), expected=listing(ORDER)
            )
        if not (0 < wish < 1 or (wish >= 1 and wish == int(wish))):
            raise DataError(
                f"data.per_class.{part} is neither a number of images nor a share",
                key=("data", "per_class", part),
                received=f"{wish:g}",
                expected="a whole number from 1, or a share between 0 and 1",
            )
    if "training" not in wishes:
        raise DataError("data.per_class leaves nothing for training", key=("data", "per_class"))
    shares = [wish for wish in wishes.values() if wish < 1]
    if sum(shares) > 1 + 1e-9:
        raise DataError("the shares of data.per_class are more than 1", key=("data", "per_class"))


def take_at_most(pictures: Sequence[Picture], count: int) -> list[Picture]:
    """The first files of every class and part in turn, until there are `count`."""
    seen: Counter[tuple[str, str]] = Counter()
    ranks = []
    for p in pictures:
        ranks.append(seen[p.part, p.label])
        seen[p.part, p.label] += 1
    order = sorted(range(len(pictures)), key=lambda row: ranks[row])[:count]
    return [pictures[row] for row in sorted(order)]
