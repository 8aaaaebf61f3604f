"""SafeStorage: the contract of Django's storages, on a real project with a real database."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urljoin

import pytest
from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, default_storage, storages
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.test.utils import override_settings

from safefs import Disk, EscapeError, Policy, PolicyError, Storage
from safefs.integrations.django import SafeStorage
from tests.djangosite.settings import BACKEND, ready

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from safefs.testing.scratch import Scratch

ready()


@pytest.fixture
def disk(scratch: Scratch) -> Iterator[Disk]:
    """The disk of the project, registered as ``uploads``, with a moat around it."""
    with (
        Disk(scratch.root) as disk,
        Storage("site", disks={"uploads": disk}) as site,
        site.register("uploads"),
    ):
        yield disk


@pytest.fixture
def storage(disk: Disk) -> SafeStorage:
    return SafeStorage("uploads")


@pytest.fixture
def database(tmp_path_factory: pytest.TempPathFactory, disk: Disk) -> Iterator[None]:
    """A database of this test's own, in a file, with the tables of the project."""
    from django.db import connection

    from tests.djangosite.models import Document, Portrait

    name = str(tmp_path_factory.mktemp("database") / "db.sqlite3")
    connection.close()
    connection.settings_dict["NAME"] = name
    with connection.schema_editor() as editor:
        editor.create_model(Document)
        editor.create_model(Portrait)
    yield
    connection.close()
    connection.settings_dict["NAME"] = ":memory:"


# -- saving and opening ------------------------------------------------------------------------


def test_what_is_saved_can_be_opened(storage: SafeStorage, disk: Disk) -> None:
    assert storage.save("2026/a.txt", ContentFile(b"hello")) == "2026/a.txt"
    assert disk.get("2026/a.txt") == b"hello"
    with storage.open("2026/a.txt") as file:
        assert (file.read(), file.name, file.size) == (b"hello", "2026/a.txt", 5)
    assert disk.all_files() == ["2026/a.txt"]


@pytest.mark.parametrize(
    ("content", "stored"),
    [
        (ContentFile("ä\r\n"), b"\xc3\xa4\r\n"),
        (ContentFile(b""), b""),
        (BytesIO(b"bytes"), b"bytes"),
        (StringIO("text"), b"text"),
        (SimpleUploadedFile("x", b"uploaded"), b"uploaded"),
        (File(BytesIO(bytes(200_000))), bytes(200_000)),
    ],
    ids=["text", "nothing", "a file", "a text file", "an upload", "many chunks"],
)
def test_every_kind_of_content_is_saved(
    content: object, stored: bytes, storage: SafeStorage, disk: Disk
) -> None:
    name = storage.save("a", content)
    assert disk.get(name) == stored


def test_a_file_that_was_read_is_saved_from_its_beginning(storage: SafeStorage) -> None:
    content = ContentFile(b"hello")
    content.read()
    with storage.open(storage.save("a", content)) as file:
        assert file.read() == b"hello"


def test_a_large_upload_is_read_and_not_moved_by_name(storage: SafeStorage, disk: Disk) -> None:
    with TemporaryUploadedFile("big.bin", "", 0, "") as upload:
        upload.write(b"x" * 100_000)
        storage.save("big.bin", upload)
        assert os.path.exists(upload.temporary_file_path())
    assert disk.size("big.bin") == 100_000


def test_the_name_of_the_content_will_do(storage: SafeStorage) -> None:
    assert storage.save(None, ContentFile(b"", name="own.txt")) == "own.txt"


def test_a_name_that_is_taken_gives_another(storage: SafeStorage, disk: Disk) -> None:
    first = storage.save("a.tar.gz", ContentFile(b"one"))
    second = storage.save("a.tar.gz", ContentFile(b"two"))
    assert second != first
    assert second.startswith("a_")
    assert second.endswith(".tar.gz")
    assert (disk.get(first), disk.get(second)) == (b"one", b"two")


def test_a_name_is_no_longer_than_it_may_be(storage: SafeStorage) -> None:
    assert len(storage.save("a" * 40 + ".txt", ContentFile(b""), max_length=20)) == 20


def test_a_name_that_is_too_long_for_the_file_system_leaves_nothing(
    storage: SafeStorage, scratch: Scratch
) -> None:
    with pytest.raises(OSError, match="too long"):
        storage.save("d/" + "a" * 300, ContentFile(b"hello"))
    assert os.listdir(scratch.root / "d") == []


def test_a_storage_of_ones_own_may_choose_the_names(storage: SafeStorage, disk: Disk) -> None:
    """The usual recipe for a storage that replaces: it makes room, and keeps the name."""

    class Replacing(SafeStorage):
        def get_available_name(self, name: str, max_length: int | None = None) -> str:
            self.delete(name)
            return name

    mine = Replacing("uploads")
    for content in (b"one", b"two"):
        assert mine.save("a.txt", ContentFile(content)) == "a.txt"
    assert disk.get("a.txt") == b"two"
    assert disk.all_files() == ["a.txt"]


def test_with_allow_overwrite_a_file_is_replaced_as_a_whole(disk: Disk, scratch: Scratch) -> None:
    storage = SafeStorage("uploads", allow_overwrite=True)
    storage.save("a.txt", ContentFile(b"one"))
    with storage.open("a.txt") as before:
        assert storage.save("a.txt", ContentFile(b"two")) == "a.txt"
        assert before.read() == b"one"
    assert disk.get("a.txt") == b"two"
    (scratch.root / "link").symlink_to("a.txt")
    storage.save("link", ContentFile(b"three"))
    assert disk.get("a.txt") == b"two"
    disk.make_directory("d")
    with pytest.raises(OSError, match="d"):
        storage.save("d", ContentFile(b""))
    assert disk.all_files() == ["a.txt", "link"]


def test_a_source_that_fails_leaves_nothing(storage: SafeStorage, disk: Disk) -> None:
    class Failing(File):  # type: ignore[misc]  # Django is not typed
        def chunks(self, chunk_size: int | None = None) -> Iterable[bytes]:
            yield b"half"
            raise RuntimeError("the client went away")

    with pytest.raises(RuntimeError):
        storage.save("a.txt", Failing(BytesIO()))
    assert disk.all_files() == []


def test_a_file_is_not_there_before_it_is_complete(storage: SafeStorage, disk: Disk) -> None:
    seen = []

    class Watched(File):  # type: ignore[misc]  # Django is not typed
        def chunks(self, chunk_size: int | None = None) -> Iterable[bytes]:
            yield b"half"
            seen.append(disk.exists("a.txt"))
            yield b", and half"

    storage.save("a.txt", Watched(BytesIO()))
    assert seen == [False]
    assert disk.get("a.txt") == b"half, and half"


def test_many_threads_that_save_one_name_overwrite_nothing(
    storage: SafeStorage, disk: Disk
) -> None:
    """All find the name free at once: each is held between asking and publishing."""
    together = threading.Barrier(8)
    names: list[str] = []

    class Slow(File):  # type: ignore[misc]  # Django is not typed
        def chunks(self, chunk_size: int | None = None) -> Iterable[bytes]:
            together.wait(30)
            yield cast("bytes", self.file.read())

    def save(number: int) -> None:
        names.append(storage.save("same.txt", Slow(BytesIO(b"%d" % number))))

    threads = [threading.Thread(target=save, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "same.txt" in names
    assert len(set(names)) == 8
    assert sorted(disk.get(name) for name in names) == [b"%d" % number for number in range(8)]
    assert disk.all_files() == sorted(names)


def test_permissions_are_those_of_the_settings(scratch: Scratch, disk: Disk) -> None:
    def mode(name: str) -> int:
        return (scratch.root / name).stat().st_mode & 0o777

    SafeStorage("uploads").save("a", ContentFile(b""))
    SafeStorage("uploads", file_permissions_mode=0o640, directory_permissions_mode=0o710).save(
        "d/e/b", ContentFile(b"")
    )
    with override_settings(FILE_UPLOAD_PERMISSIONS=0o600, FILE_UPLOAD_DIRECTORY_PERMISSIONS=0o700):
        SafeStorage("uploads").save("d/f/c", ContentFile(b""))
    with override_settings(FILE_UPLOAD_PERMISSIONS=None):
        old = os.umask(0o077)
        SafeStorage("uploads").save("u", ContentFile(b""))
        os.umask(old)
    assert [mode(name) for name in ("a", "d", "d/e", "d/e/b")] == [0o644, 0o710, 0o710, 0o640]
    assert [mode(name) for name in ("d/f", "d/f/c", "u")] == [0o700, 0o600, 0o600]


def test_permissions_are_no_wider_than_the_disk_keeps_them(disk: Disk) -> None:
    with Storage.fake(memory=False) as private:
        SafeStorage(private["appdata"]).save("a", ContentFile(b""))
        assert private["appdata"].stat("a").permissions == 0o600


def test_an_open_file_is_opened_again_through_the_storage(
    storage: SafeStorage,
    disk: Disk,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The trap: Django's own File, once closed, looks for its name in the working directory."""
    disk.put("a.txt", "ours")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    with open("a.txt", "w") as elsewhere:
        elsewhere.write("somebody else's, and longer")
    file = storage.open("a.txt")
    assert file.read() == b"ours"
    assert file.open().read() == b"ours"
    file.close()
    assert file.size == 4
    with file.open() as again:
        assert again.read() == b"ours"
    disk.delete("a.txt")
    with pytest.raises(FileNotFoundError):
        file.open()


def test_a_closed_file_is_not_measured_by_its_old_descriptor(
    storage: SafeStorage, disk: Disk
) -> None:
    """Its file object is named by a number, which by then is another file's."""
    disk.put("a", "four")
    disk.put("b", "a longer one")
    file = storage.open("a")
    number = file.fileno()
    file.close()
    with disk.open("b", "rb") as other:
        assert other.fileno() == number
        assert file.size == 4


def test_files_can_be_written_in_place(storage: SafeStorage, disk: Disk) -> None:
    with storage.open("a.txt", "w") as file:
        file.write("ä")
        assert file.size == 2
    with storage.open("a.txt", "ab") as file:
        file.write(b"!")
    assert disk.get("a.txt") == b"\xc3\xa4!"


# -- the rest of the contract ------------------------------------------------------------------


def test_looking_and_deleting(storage: SafeStorage, disk: Disk) -> None:
    for name in ("a", "d/b", "d/e/c"):
        disk.put(name, "hello")
    assert storage.listdir("") == (["d"], ["a"])
    assert storage.listdir("d") == (["e"], ["b"])
    assert storage.exists("d/e/c")
    assert storage.exists("d")
    assert storage.exists("")
    assert not storage.exists("d/none")
    assert not storage.exists("a/beneath-a-file")
    assert storage.size("a") == 5
    storage.delete("d/e/c")
    storage.delete("d/e")
    storage.delete("d/e")
    assert storage.listdir("d") == ([], ["b"])
    with pytest.raises(OSError, match="d"):
        storage.delete("d")
    with pytest.raises(ValueError, match="name"):
        storage.delete("")
    with pytest.raises(FileNotFoundError):
        storage.listdir("none")
    with pytest.raises(FileNotFoundError):
        storage.size("none")
    with pytest.raises(FileNotFoundError):
        storage.open("none")


def test_there_is_no_path_to_hand_out(storage: SafeStorage) -> None:
    with pytest.raises(NotImplementedError):
        storage.path("a.txt")


def test_links_inside_are_followed_and_themselves_deleted(
    storage: SafeStorage, disk: Disk, scratch: Scratch
) -> None:
    disk.put("d/a", "hello")
    (scratch.root / "file").symlink_to("d/a")
    (scratch.root / "directory").symlink_to("d")
    (scratch.root / "gone").symlink_to("nowhere")
    assert storage.listdir("") == (["d", "directory"], ["file"])
    assert storage.size("directory/a") == 5
    assert storage.exists("gone")
    for name in ("file", "directory", "gone"):
        storage.delete(name)
    assert sorted(os.listdir(scratch.root)) == ["d"]
    assert disk.get("d/a") == b"hello"


@pytest.mark.parametrize("use_tz", [True, False])
def test_times_are_as_those_of_the_file_system_storage(
    use_tz: bool, storage: SafeStorage, disk: Disk, scratch: Scratch
) -> None:
    disk.put("a", "hello")
    os.utime(scratch.root / "a", (1_000_000_000, 1_700_000_000))
    theirs = FileSystemStorage(location=scratch.root)
    with override_settings(USE_TZ=use_tz):
        for time in ("get_modified_time", "get_accessed_time", "get_created_time"):
            found: datetime = getattr(storage, time)("a")
            assert abs(found - getattr(theirs, time)("a")) <= timedelta(microseconds=1)  # rounded
            assert (found.tzinfo is not None) == use_tz
    assert abs(storage.get_created_time("a") - datetime.now(UTC)) < timedelta(minutes=5)


def test_times_of_no_datetime_are_the_nearest(
    storage: SafeStorage, disk: Disk, scratch: Scratch
) -> None:
    disk.put("a", "hello")
    os.utime(scratch.root / "a", (2**40, 2**40))  # some file systems keep less of it
    for use_tz in (True, False):
        with override_settings(USE_TZ=use_tz):
            assert storage.get_modified_time("a").year > 2400
            assert storage.get_accessed_time("a").year > 2400


def test_a_disk_that_hides_its_dot_entries_takes_files_at_its_top(scratch: Scratch) -> None:
    with Disk(scratch.root, policy=Policy(top_level_dot_entries="refuse")) as home:
        storage = SafeStorage(home)
        assert storage.save("a", ContentFile(b"hello")) == "a"
        with pytest.raises(SuspiciousFileOperation):
            storage.save(".bashrc", ContentFile(b"attack"))
    assert os.listdir(scratch.root) == ["a"]


def test_a_disk_in_memory_serves_tests(disk: Disk) -> None:
    with Storage.fake(disks=["uploads"]) as fake:
        storage = SafeStorage(fake["uploads"])
        storage.save("a.txt", ContentFile(b"hello"))
        with storage.open("a.txt") as file:
            assert (file.read(), file.size) == (b"hello", 5)
        assert storage.get_modified_time("a.txt") == storage.get_accessed_time("a.txt")


@pytest.mark.parametrize(
    ("base_url", "name", "url"),
    [
        (None, "a.txt", "/media/a.txt"),
        ("https://files.example/x", "d/ä b?.txt", "https://files.example/x/d/%C3%A4%20b%3F.txt"),
        (None, "javascript:alert(1)", "/media/javascript%3Aalert(1)"),
    ],
)
def test_urls(base_url: str | None, name: str, url: str, disk: Disk) -> None:
    assert SafeStorage("uploads", base_url=base_url).url(name) == url


def test_a_storage_can_have_no_urls(disk: Disk) -> None:
    with pytest.raises(ValueError, match="not accessible"):
        SafeStorage("uploads", base_url="").url("a.txt")
    with override_settings(MEDIA_URL=None), pytest.raises(ValueError, match="not accessible"):
        SafeStorage("uploads").url("a.txt")


@pytest.mark.parametrize("name", ["..\\admin", "d\\..\\..\\admin", ".", "a/./b", "\udcff"])
def test_a_url_is_the_base_and_what_a_browser_takes_for_one_name(
    name: str, storage: SafeStorage
) -> None:
    """Django's own makes a slash of a backslash, and so a way up of the first."""
    url = storage.url(name)
    assert url.startswith("/media/")
    assert urljoin("https://site.example/", url).startswith("https://site.example/media/")
    assert "\\" not in url


@pytest.mark.parametrize("name", ["../admin/", "d/../../admin", "//evil.example/x", "/etc/passwd"])
def test_a_url_leads_nowhere_else(name: str, storage: SafeStorage) -> None:
    with pytest.raises(SuspiciousFileOperation):
        storage.url(name)


# -- what is refused ---------------------------------------------------------------------------

CALLS: dict[str, Callable[[SafeStorage, str], object]] = {
    "open": lambda storage, name: storage.open(name),
    "open to write": lambda storage, name: storage.open(name, "wb"),
    "save": lambda storage, name: storage.save(name, ContentFile(b"attack")),
    "delete": lambda storage, name: storage.delete(name),
    "exists": lambda storage, name: storage.exists(name),
    "listdir": lambda storage, name: storage.listdir(name),
    "size": lambda storage, name: storage.size(name),
    "modified": lambda storage, name: storage.get_modified_time(name),
    "accessed": lambda storage, name: storage.get_accessed_time(name),
    "created": lambda storage, name: storage.get_created_time(name),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    "name",
    [
        "../outside/secret.txt",
        "d/../../outside/secret.txt",
        "{outside}/secret.txt",
        "up/secret.txt",
        "a\0b",
    ],
)
def test_a_name_that_leaves_is_suspicious(
    call: Callable[[SafeStorage, str], object], name: str, disk: Disk, scratch: Scratch
) -> None:
    """``up`` was planted: a link to the directory outside."""
    disk.make_directory("d")
    (scratch.root / "up").symlink_to("../outside")
    for storage in (SafeStorage("uploads"), SafeStorage("uploads", allow_overwrite=True)):
        with pytest.raises(SuspiciousFileOperation):
            call(storage, name.replace("{outside}", str(scratch.outside)))


@pytest.mark.parametrize("name", ["open", "open to write", "size", "modified", "listdir"])
def test_a_link_planted_beside_the_data_is_suspicious(
    name: str, resolver: str, storage: SafeStorage, scratch: Scratch
) -> None:
    (scratch.root / "report.csv").symlink_to("../outside/secret.txt")
    with pytest.raises(SuspiciousFileOperation) as caught:
        CALLS[name](storage, "report.csv")
    assert isinstance(caught.value.__cause__, EscapeError)
    assert "report.csv" in str(caught.value)


def test_a_planted_link_is_listed_nowhere_and_never_written_through(
    storage: SafeStorage, disk: Disk, scratch: Scratch
) -> None:
    (scratch.root / "report.csv").symlink_to("../outside/secret.txt")
    (scratch.root / "new.csv").symlink_to("../outside/new")
    assert storage.listdir("") == ([], [])
    for name in ("report.csv", "new.csv"):
        saved = storage.save(name, ContentFile(b"hello"))
        assert saved != name
        assert disk.get(saved) == b"hello"
        storage.delete(name)
        assert storage.save(name, ContentFile(b"hello")) == name


def test_two_dots_that_stay_inside_mean_what_the_kernel_means(
    storage: SafeStorage, disk: Disk
) -> None:
    disk.put("d/a", "hello")
    assert storage.size("d/../d/a") == 5
    with pytest.raises(SuspiciousFileOperation):
        storage.save("d/../b", ContentFile(b""))


def test_what_the_policy_refuses_of_a_name_is_suspicious(scratch: Scratch, disk: Disk) -> None:
    disk.put("a", "hello")
    (scratch.root / "link").symlink_to("a")
    with Disk(scratch.root, policy=Policy(symlinks="never", portable_names=True)) as strict:
        storage = SafeStorage(strict)
        for name in ("link", "aux.txt"):
            with pytest.raises(SuspiciousFileOperation):
                storage.open(name)
        with pytest.raises(SuspiciousFileOperation):
            storage.save("nul.txt", ContentFile(b""))
        assert strict.all_files() == ["a"]
    with disk.read_only() as readable:
        with pytest.raises(PolicyError):
            SafeStorage(readable).save("b", ContentFile(b""))
        with pytest.raises(PolicyError):
            SafeStorage(readable).delete("a")


# -- settings, migrations, pickles -------------------------------------------------------------


def test_a_storage_is_named_in_the_settings(disk: Disk) -> None:
    options = {"disk": "uploads", "base_url": "/x/", "allow_overwrite": True}
    both = {"default": {"BACKEND": BACKEND, "OPTIONS": options}}
    with override_settings(STORAGES=both):
        assert isinstance(storages["default"], SafeStorage)
        default_storage.save("a", ContentFile(b"hello"))
        assert default_storage.url("a") == "/x/a"
    assert disk.get("a") == b"hello"
    wrong = {"default": {"BACKEND": BACKEND, "OPTIONS": {"disk": "uploads", "root": "/"}}}
    with override_settings(STORAGES=wrong), pytest.raises(TypeError, match="root"):
        _ = storages["default"]


def test_a_disk_that_nobody_registered_is_a_mistake_in_the_configuration() -> None:
    storage = SafeStorage("uploads")
    with pytest.raises(ImproperlyConfigured, match=r"'uploads'.*Storage\.register"):
        storage.save("a", ContentFile(b""))
    for options in ({"disk": None}, {}, {"location": "/srv"}, {"disk": "uploads", "location": "/"}):
        with pytest.raises(TypeError, match="name of a registered disk") as caught:
            SafeStorage(**cast("dict[str, Any]", options))
        assert ("location" in str(caught.value)) == ("location" in options)


def test_the_disk_is_looked_up_at_each_use(scratch: Scratch) -> None:
    storage = SafeStorage("uploads")
    for name in ("one", "two"):
        os.mkdir(scratch.root / name)
        with Storage("site", disks={"uploads": scratch.root / name}) as site, site.register():
            storage.save(f"{name}.txt", ContentFile(b""))
        with pytest.raises(ImproperlyConfigured):
            storage.exists("one.txt")
    assert (scratch.root / "two" / "two.txt").exists()


def test_a_migration_can_write_it_down(disk: Disk) -> None:
    from django.db.migrations.serializer import serializer_factory

    from tests.djangosite.models import Portrait

    storage = SafeStorage("uploads", base_url="/x/")
    assert storage.deconstruct() == (BACKEND, ("uploads",), {"base_url": "/x/"})
    text, imports = serializer_factory(storage).serialize()
    names: dict[str, Any] = {}
    exec("\n".join(sorted(imports)), names)
    again = eval(text, names)
    assert again.deconstruct() == storage.deconstruct()
    field = Portrait._meta.get_field("image")
    assert field.clone().storage.deconstruct() == (BACKEND, ("uploads",), {})
    with pytest.raises(ValueError, match="Cannot serialize"):
        serializer_factory(SafeStorage(disk)).serialize()


def test_a_pickle_carries_a_name_and_fails_closed(disk: Disk, storage: SafeStorage) -> None:
    storage.save("a", ContentFile(b"hello"))
    pickled = pickle.dumps(storage)
    assert pickle.loads(pickled).size("a") == 5
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(SafeStorage(disk))
    with pytest.raises(ImproperlyConfigured):
        pickle.loads(pickled.replace(b"uploads", b"systems")).size("a")


# -- a project ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("database")
def test_an_upload_through_a_form_lands_on_the_disk(disk: Disk) -> None:
    from django.test import Client

    from tests.djangosite.models import Document

    client = Client()
    year = datetime.now(UTC).year
    upload = SimpleUploadedFile("../../etc/ca fé.txt", b"hello")
    answer = client.post("/upload", {"file": upload})
    assert answer.content.decode() == f"documents/{year}/ca_fé.txt"
    document = Document.objects.get()
    assert document.file.read() == b"hello"
    assert document.file.url == f"/media/documents/{year}/ca_f%C3%A9.txt"
    assert document.file.size == 5
    document.file.close()
    with pytest.raises(NotImplementedError):
        _ = document.file.path
    with document.file.open() as file:
        assert file.read() == b"hello"
    document.file.delete()
    assert disk.all_files() == []
    assert client.post("/upload", {}).status_code == 422


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("size", [10, 3_000_000], ids=["in memory", "in a temporary file"])
def test_uploads_of_both_handlers_are_saved(size: int, disk: Disk) -> None:
    from django.test import Client

    answer = Client().post("/upload", {"file": BytesIO(b"x" * size)})
    assert answer.status_code == 200
    assert disk.size(answer.content.decode()) == size


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "name", ["../outside/secret.txt", "{outside}/secret.txt", "planted", "a\0b"]
)
def test_a_naive_view_answers_400_and_tells_nothing(
    name: str, disk: Disk, scratch: Scratch, caplog: pytest.LogCaptureFixture
) -> None:
    """The view opens whatever name the query asks for."""
    from django.test import Client

    (scratch.root / "planted").symlink_to("../outside/secret.txt")
    disk.put("a.txt", "hello")
    good = Client().get("/download", {"name": "a.txt"})
    assert (b"".join(good), good.headers["Content-Length"]) == (b"hello", "5")
    answer = Client().get("/download", {"name": name.replace("{outside}", str(scratch.outside))})
    assert answer.status_code == 400
    assert b"secret" not in answer.content
    told = [record.name for record in caplog.records if record.name != "safefs.audit"]
    assert told[0] == "django.security.SuspiciousFileOperation"
    caplog.clear()  # a record holds its traceback, and so the disk


@pytest.mark.usefixtures("database")
def test_an_image_field_measures_its_image(disk: Disk) -> None:
    from PIL import Image

    from tests.djangosite.models import Portrait

    content = BytesIO()
    Image.new("RGB", (3, 2)).save(content, "PNG")
    portrait = Portrait(image=SimpleUploadedFile("a.png", content.getvalue()))
    portrait.save()
    again = Portrait.objects.get()
    assert (again.width, again.height) == (3, 2)
    assert again.image.width == 3
    assert disk.exists("a.png")


@pytest.mark.usefixtures("database")
def test_a_row_whose_name_was_forged_reaches_nothing(disk: Disk, scratch: Scratch) -> None:
    from tests.djangosite.models import Document

    document = Document.objects.create(file="../outside/secret.txt")
    calls: list[Callable[[], object]] = [
        lambda: document.file.read(),
        lambda: document.file.size,
        lambda: document.file.url,
        lambda: document.file.delete(),
    ]
    for call in calls:
        with pytest.raises(SuspiciousFileOperation):
            call()


@pytest.mark.parametrize(
    ("module", "library", "extra"), [("django", "django", "django"), ("upath", "upath", "upath")]
)
def test_a_door_without_its_library_says_which_extra_brings_it(
    module: str, library: str, extra: str
) -> None:
    code = f"""
import sys

class Absent:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == {library!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
try:
    import safefs.integrations.{module}
except ModuleNotFoundError as error:
    print(error, error.name)
"""
    run = [sys.executable, "-c", code]
    said = subprocess.run(run, capture_output=True, text=True, check=True, timeout=60).stdout
    assert f"the extra {extra!r}" in said
    assert said.split()[-1] == library


# -- the document ------------------------------------------------------------------------------

PROJECT = Path(__file__).parent.parent
DOCUMENT = (PROJECT / "docs" / "django.md").read_text(encoding="utf-8")

RUN = """
import sys
import django
from django.core.exceptions import SuspiciousFileOperation

django.setup()
for block in sys.stdin.read().split("\\0"):
    names = {}
    lines = block.splitlines()
    refused = [line for line in lines if "# SuspiciousFileOperation" in line]
    exec("\\n".join(line for line in lines if line not in refused), names)
    for line in refused:
        try:
            exec(line, names)
        except SuspiciousFileOperation:
            continue
        raise AssertionError(f"not refused: {line}")
"""


def test_the_examples_of_the_document_run_as_a_project(tmp_path: Path) -> None:
    """Those that name a file are that file; each other runs as it is, in the order they stand."""
    home = tmp_path / "m" / "m" / "home"
    home.mkdir(parents=True)
    blocks = [part.split("```")[0] for part in DOCUMENT.split("```python\n")[1:]]
    blocks = [block.replace("/srv/uploads", str(home / "uploads")) for block in blocks]
    blocks = [block.replace("../../etc/passwd", "../x") for block in blocks]
    (home / "mysite").mkdir()
    (home / "mysite" / "__init__.py").touch()
    files = [block for block in blocks if block.startswith("# mysite/")]
    assert len(files) == 2
    for block in files:
        (home / block.partition("\n")[0].removeprefix("# ")).write_text(block, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUN],
        input="\0".join(block for block in blocks if block not in files),
        env=kept | {"HOME": str(home), "DJANGO_SETTINGS_MODULE": "mysite.settings"},
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert len(blocks) > 4
    assert run.returncode == 0, run.stderr
    assert (home / "uploads" / "2026" / "report.txt").read_text() == "hello"
