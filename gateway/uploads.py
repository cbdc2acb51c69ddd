"""What happens to a file in a form: nothing, for no page takes one."""

from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler


class NoUploads(FileUploadHandler):
    """Refuses a file at its first header.

    Django's own handlers would keep it first, in memory or on disk and without a limit: the CSRF check reads the whole
    form before any view can say no, and DATA_UPLOAD_MAX_MEMORY_SIZE does not count files.
    """

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        raise RequestDataTooBig("no page takes files")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Never reached."""

    def file_complete(self, file_size: int) -> None:
        """Never reached."""
