"""The application under measurement: its handler does nothing, or tokenizes a file."""

import time

from examples.tokens import count
from taskkitx import Kit, Task, TaskHandler, make_kit


class NoOp(TaskHandler[str, str]):
    def handle(self, task: Task) -> str:
        if task.name == "tokenize":
            return str(count(task.data.decode())["tokens"])
        if task.name == "when":
            return repr(time.time())
        return "1"

    def get_retry_interval(self, task: Task, exception: BaseException) -> float | None:
        return None

    def encode_data(self, group: str, task_name: str, data: str) -> bytes:
        return data.encode()

    def encode_result(self, task: Task, result: str) -> bytes:
        return result.encode()

    def decode_result(self, task: Task, encoded: bytes) -> str:
        return encoded.decode()


kit: Kit[str, str] = make_kit(NoOp())
