import bz2
import io
import lzma
import os
import socket
import tarfile
import zipfile

import numpy as np
import pytest

from dlrun.data import _archives
from dlrun.data._archives import check_plain, open_tar, open_zip
from dlrun.data._image_files import open_source
from dlrun.data._npz import members, read_array
from dlrun.data._sources import DataContext
from dlrun.data._text_trees import read_tree
from dlrun.data.cifar10 import cifar10
from dlrun.errors import DataError

ZIP_READERS = {
    "a.npz": members,
    "images.zip": open_source,
    "texts.zip": lambda path: read_tree(path, "utf-8"),
}


def zipped(path, name, content=b"x", method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(name, content)
    return path


@pytest.mark.parametrize(("name", "read"), ZIP_READERS.items(), ids=ZIP_READERS)
@pytest.mark.parametrize("member", ["../a/x.txt", "/etc/x.txt", "a/../../x.txt", "C:/x.txt", "a\\x.txt"])
def test_a_member_that_leaves_its_archive_is_refused(tmp_path, name, read, member):
    with pytest.raises(DataError, match="leads out of the archive"):
        read(zipped(tmp_path / name, member))


@pytest.mark.parametrize(("name", "read"), ZIP_READERS.items(), ids=ZIP_READERS)
@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_block_that_unpacks_whole_is_refused(tmp_path, name, read, method):
    """A zip of bzip2 blocks may claim 8 bytes for a member and unpack gigabytes of it."""
    with pytest.raises(DataError, match="packed in a way that dlrun does not read"):
        read(zipped(tmp_path / name, "a/x.txt", b"\0" * 10**6, method))


@pytest.mark.parametrize(("name", "read"), ZIP_READERS.items(), ids=ZIP_READERS)
def test_an_archive_that_grows_beyond_measure_is_refused(tmp_path, monkeypatch, name, read):
    monkeypatch.setattr(_archives, "FREE_BYTES", 10**6)
    with pytest.raises(DataError, match="would grow from 1 MiB to 4 MiB, which no data does"):
        read(zipped(tmp_path / name, "a/x.txt", b"\0" * 4_000_000))


def test_what_packs_well_is_read_up_to_a_size(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros(10**6))
    assert read_array(tmp_path / "a.npz", "x").sum() == 0


def test_names_that_np_savez_writes_are_no_places(tmp_path):
    np.savez(tmp_path / "a.npz", **{"dense/kernel:0": np.ones(2), "x:0": np.ones(1)})
    assert members(tmp_path / "a.npz") == ["dense/kernel:0", "x:0"]


def tar_of(path, *headers, pack=bytes):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content, kind in headers:
            info = tarfile.TarInfo(name)
            info.size, info.type = len(content), kind
            info.linkname = "/etc/passwd" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            archive.addfile(info, io.BytesIO(content))
    path.write_bytes(pack(stream.getvalue()))
    return path


FILE = tarfile.REGTYPE


@pytest.mark.parametrize(("suffix", "pack"), [("tar", bytes), ("tar.bz2", bz2.compress), ("tar.xz", lzma.compress)])
def test_a_tar_is_read_up_to_a_size(tmp_path, suffix, pack):
    path = tar_of(tmp_path / f"a.{suffix}", ("a/1.txt", b"one", FILE), ("big", b"\0" * 10**6, FILE), pack=pack)
    with open_tar(path, 2 * 10**6) as archive:
        assert [member.name for member in archive] == ["a/1.txt", "big"]
    with pytest.raises(DataError, match=r"unpacks to more than 1 MiB"), open_tar(path, 10**5) as archive:
        list(archive)


def test_a_name_as_long_as_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(_archives, "MOST_PIECE", 10**5)
    path = tar_of(tmp_path / "a.tar", ("a/1.txt", b"x" * 10**6, tarfile.GNUTYPE_LONGNAME), ("b", b"", FILE))
    with pytest.raises(DataError, match="wants 1 MiB at once"):
        read_tree(path, "utf-8")


def test_headers_of_headers_end(tmp_path):
    headers = [("a", b"name", tarfile.GNUTYPE_LONGNAME)] * 3000
    path = tar_of(tmp_path / "a.tar", *headers)
    with pytest.raises(DataError, match="nested too deeply"):
        read_tree(path, "utf-8")


def test_links_in_an_archive_are_not_followed(tmp_path):
    kinds = [("a/1.txt", b"one", FILE), ("a/2.txt", b"", tarfile.SYMTYPE), ("b/3.txt", b"", tarfile.LNKTYPE)]
    assert list(read_tree(tar_of(tmp_path / "a.tar", *kinds, ("b/4.txt", b"x", FILE)), "utf-8")) == [
        ("a", "1.txt"),
        ("b", "4.txt"),
    ]


@pytest.mark.parametrize("name", ["../x.txt", "/etc/x.txt"])
def test_a_member_that_leaves_its_tar_is_refused(tmp_path, name):
    with pytest.raises(DataError, match="leads out of the archive"):
        read_tree(tar_of(tmp_path / "a.tar", (name, b"x", FILE)), "utf-8")


def test_the_archive_of_cifar10_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("dlrun.data.cifar10.MOST_ARCHIVE_BYTES", 10**5)
    tar_of(tmp_path / "cifar-10-python.tar.gz", ("big", b"\0" * 10**6, FILE), ("more", b"", FILE))
    with pytest.raises(DataError, match="unpacks to more than 1 MiB"):
        cifar10(DataContext(folders=[tmp_path]))


def pipe(path):
    os.mkfifo(path)
    return path


def plug(path):
    socket.socket(socket.AF_UNIX).bind(str(path))
    return path


SPECIAL = {
    "a named pipe": lambda folder: pipe(folder / "a"),
    "a device": lambda folder: "/dev/zero",
    "a socket": lambda folder: plug(folder / "a"),
}


@pytest.mark.parametrize(("what", "make"), SPECIAL.items(), ids=SPECIAL)
def test_what_is_no_file_is_refused_at_once(tmp_path, what, make):
    place = str(make(tmp_path))
    with pytest.raises(DataError, match=f"is {what}, not a file"):
        DataContext().locate(place)


def test_what_is_not_there_is_left_to_who_opens_it(tmp_path):
    check_plain(tmp_path / "nowhere")
    check_plain(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_zip(tmp_path / "nowhere")


def test_a_pipe_in_an_image_folder_does_not_wait(tmp_path):
    pipe(tmp_path / "1.png")
    source = open_source(tmp_path)
    with pytest.raises(OSError, match="it is no file"):
        source.read("1.png")
